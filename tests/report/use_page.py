"""Uses a page of `diurnal report` in Chromium as a person does. Usage: use_page.py PAGE SCREENSHOTS whole|hostile|empty|picture

`picture` only takes the one of the README, picture.png. Ends with 1 and says what is wrong on standard error. No request may leave the page, and nothing may be said on its console.
"""

import pathlib
import shutil
import sys

from playwright.sync_api import sync_playwright

PAGE = pathlib.Path(sys.argv[1]).resolve().as_uri()
SCREENSHOTS = pathlib.Path(sys.argv[2])
KIND = sys.argv[3]

# Width, height, pixels a point, finger.
DESK = (1280, 900, 1, False)
PHONE = (390, 844, 2, True)


class Looked:
    """An open page, and everything that it should not do."""

    def __init__(self, browser, size, scheme):
        width, height, scale, finger = size
        self.context = browser.new_context(
            viewport={"width": width, "height": height},
            device_scale_factor=scale,
            has_touch=finger,
            color_scheme=scheme,
        )
        self.wrong = []
        self.context.set_offline(True)
        self.page = self.context.new_page()
        self.page.set_default_timeout(10_000)
        self.page.on("console", lambda said: self.wrong.append(f"console: {said.text}"))
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("dialog", lambda dialog: (self.wrong.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.page.on("request", self.requested)
        self.page.goto(PAGE)

    def requested(self, request):
        if request.url != PAGE and not request.url.startswith("data:"):
            self.wrong.append(f"request: {request.url}")

    def shown(self):
        return self.page.inner_text("#shown")

    def pictures(self):
        """What each plot looks like now, the heat map last."""
        return self.page.eval_on_selector_all(".plot canvas", "all => all.map(one => one.toDataURL())")

    def settle(self):
        """The library draws in a microtask and in frames: two frames later all is there."""
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def close(self, name):
        self.settle()
        overflow = self.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        check(overflow <= 0, f"{name}: the page is {overflow} px too wide")
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{KIND}-{name}.png", full_page=True)
        check(not self.wrong, f"{name}: {self.wrong}")
        self.context.close()


def check(holds, wrong):
    if not holds:
        print(wrong, file=sys.stderr)
        sys.exit(1)


def middle(page, selector, share=0.5):
    """A place in an element, by its width."""
    page.locator(selector).first.scroll_into_view_if_needed()
    box = page.locator(selector).first.bounding_box()
    return box["x"] + box["width"] * share, box["y"] + box["height"] / 2


def differ(before, after, what):
    check(len(before) == len(after) > 0, f"{what}: {len(before)} plots became {len(after)}")
    same = [place for place, (old, new) in enumerate(zip(before, after)) if old == new]
    check(not same, f"{what}: plots {same} look as before")


def choose_hosts(looked):
    page = looked.page
    items = lambda: page.locator("#plots .card").first.locator(".item").count()
    check(items() == 6, f"{items()} hosts are read out")
    before = looked.pictures()
    page.click(".chip:has-text('web-03')")
    check(items() == 5, "a click on a host did not take it out")
    check(page.get_attribute(".chip:has-text('web-03')", "aria-pressed") == "false", "the host is not marked")
    check("5 of 6 hosts" in page.inner_text("#hosts-said"), page.inner_text("#hosts-said"))
    looked.settle()
    check(looked.pictures() != before, "taking a host out changed no plot")
    page.click("#no-hosts")
    check("No series of the chosen hosts" in page.inner_text("#plots"), "no host, and nobody says so")
    page.fill("#filter", "web-0")
    page.locator("#filter").press("End")
    page.fill("#filter", "04")
    check(page.locator(".chip:visible").count() == 1, "the filter does not filter")
    page.click("#all-hosts")
    check(items() == 1, "All after a filter is not what was found")
    page.fill("#filter", "")
    page.click("#all-hosts")
    check(items() == 6, "All does not bring all back")
    looked.settle()
    # By keyboard.
    page.focus(".chip:has-text('web-01')")
    page.keyboard.press("Space")
    check(items() == 5, "the space bar did not take the host out")
    page.keyboard.press("Space")


def zoom_by_mouse(looked):
    page = looked.page
    looked.settle()
    whole, before = looked.shown(), looked.pictures()
    (left, y), (right, _) = middle(page, "#plots .u-over", 0.3), middle(page, "#plots .u-over", 0.6)
    page.mouse.move(left, y)
    page.mouse.down()
    page.mouse.move((left + right) / 2, y, steps=4)
    page.mouse.move(right, y, steps=4)
    page.mouse.up()
    looked.settle()
    check(looked.shown() != whole, "dragging did not zoom")
    # From three to six tenths of the month, to some pixels.
    first, last = looked.shown()[:10], looked.shown()[-16:-6]
    check(first in ["2020-06-09", "2020-06-10"] and last in ["2020-06-18", "2020-06-19"], f"zoomed to {looked.shown()}")
    differ(before, looked.pictures(), "dragging in one plot")
    page.mouse.dblclick(left, y)
    check(looked.shown() == whole, "a double click does not show all")


def zoom_by_keys(looked):
    page = looked.page
    whole = looked.shown()
    page.focus("#plots .plot")
    seen = [whole]
    for key in ["+", "+", "ArrowRight", "ArrowLeft", "-"]:
        page.keyboard.press(key)
        check(looked.shown() != seen[-1], f"{key} did nothing")
        seen.append(looked.shown())
    check(seen[2] == seen[4], "right and left do not cancel each other")
    check(seen[1] == seen[5], "zooming out does not undo zooming in")
    page.keyboard.press("0")
    check(looked.shown() == whole, "0 does not show all")
    for button in ["#narrower", "#later", "#earlier", "#wider"]:
        before = looked.shown()
        page.click(button)
        check(looked.shown() != before, f"{button} did nothing")
    check(looked.shown() == whole and page.is_disabled("#whole"), "all is shown, and All can be clicked")
    page.click("#narrower")
    page.click("#whole")
    check(looked.shown() == whole, "the button does not show all")
    page.mouse.move(0, 0)
    page.focus("#plots .plot")
    page.keyboard.press("Shift+ArrowRight")
    first = page.inner_text("#plots .when >> nth=0")
    check("mean (least to greatest)" in first, f"the cursor is not moved by keys: {first}")
    page.keyboard.press("Shift+ArrowRight")
    check(page.inner_text("#plots .when >> nth=0") != first, "the cursor stays where it is")


def read_values(looked):
    page = looked.page
    page.mouse.move(*middle(page, "#plots .u-over", 0.5))
    looked.settle()
    for card in range(page.locator("#plots .card").count()):
        text = page.locator("#plots .card").nth(card).inner_text()
        check("mean (least to greatest)" in text and " to " in text, f"plot {card} does not follow the cursor: {text}")
    page.mouse.move(*middle(page, "#heat .u-over", 0.4))
    looked.settle()
    told = page.inner_text("#heat .when")
    check(told.startswith("web-0") and "6 values" in told, f"the heat map says: {told}")
    before = looked.pictures()[-1]
    page.select_option("#heat-choice", "1")
    looked.settle()
    check(looked.pictures()[-1] != before, "the heat map of samples looks as that of the mean")
    page.select_option("#heat-choice", "0")


def sort_tables(looked):
    page = looked.page
    hosts = lambda: page.eval_on_selector_all("#series tbody tr td:nth-child(5)", "all => all.map(one => Number(one.innerText.replace(/,/g, '')))")
    page.click("#series th >> text=Missing")
    check(hosts() == sorted(hosts(), reverse=True), f"not sorted: {hosts()}")
    page.click("#series th >> text=Missing")
    check(hosts() == sorted(hosts()), f"not sorted the other way: {hosts()}")
    check(page.get_attribute("#series th:has-text('Missing')", "aria-sort") == "ascending", "nobody says how it is sorted")


def change_theme(looked):
    page = looked.page
    background = lambda: page.evaluate("getComputedStyle(document.body).backgroundColor")
    looked.settle()
    before, pictures = background(), looked.pictures()
    page.click("#theme")
    looked.settle()
    check(background() != before, "the button does not change the colours of the page")
    differ(pictures, looked.pictures(), "changing the theme")
    page.click("#theme")
    check(background() == before, "the button does not change them back")


def zoom_by_finger(looked):
    page = looked.page
    whole = looked.shown()
    (left, y), (right, _) = middle(page, "#plots .u-over", 0.3), middle(page, "#plots .u-over", 0.7)
    session = looked.context.new_cdp_session(page)
    touch = lambda kind, points: session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    touch("touchStart", [{"x": left, "y": y}])
    for step in range(1, 9):
        touch("touchMove", [{"x": left + (right - left) * step / 8, "y": y}])
    touch("touchEnd", [])
    looked.settle()
    check(looked.shown() != whole, "a finger does not zoom")
    page.click("#whole")


def contrast(looked):
    """Words can be read: WCAG 2.1 asks for 4.5 to 1."""
    ratios = looked.page.evaluate(
        """() => {
          const light = (text) => {
            const [r, g, b] = text.match(/[0-9.]+/g).map(Number).map(c => c / 255).map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const card = light(getComputedStyle(document.querySelector('.figures')).backgroundColor);
          return [...document.querySelectorAll('.figure p, .quiet, td, th')].map(one => {
            const own = light(getComputedStyle(one).color);
            return [(Math.max(own, card) + 0.05) / (Math.min(own, card) + 0.05), one.innerText];
          });
        }"""
    )
    least = min(ratios)
    check(least[0] >= 4.5, f"hard to read, {least[0]:.2f} to 1: {least[1]}")


def hostile(looked):
    page = looked.page
    text = page.inner_text("body")
    check("m</script><script>alert(1)</script>" in text, "the measurement is not shown as it is")
    check("</script x><img src=x onerror=alert(2)>\\u{202e}drow<!--" in text, "the host is not shown as it is")
    check(page.locator("script").count() == 3 and page.locator("img").count() == 0, "a name became an element")
    # The policy holds: a script that gets into the page by other ways does not run.
    page.evaluate(
        """() => {
          const script = document.createElement('script');
          script.textContent = 'window.harmed = true';
          document.body.append(script);
        }"""
    )
    check(not page.evaluate("window.harmed"), "the policy lets a foreign script run")
    blocked = [said for said in looked.wrong if "Content Security Policy" in said]
    check(len(blocked) == 1, f"the policy said: {looked.wrong}")
    looked.wrong.remove(blocked[0])


def empty(looked):
    check("Nothing was archived in this time" in looked.page.inner_text("#notes"), "an empty page does not say so")
    check(not looked.page.is_visible("#bar"), "there is nothing to zoom")


USES = {
    ("whole", "desk"): [choose_hosts, zoom_by_mouse, zoom_by_keys, read_values, sort_tables, change_theme, contrast],
    ("whole", "phone"): [zoom_by_finger, change_theme, contrast],
    ("hostile", "desk"): [hostile],
    ("empty", "desk"): [empty],
}

with sync_playwright() as playwright:
    # Root, as in a container, can't have the sandbox; the page is the test's own.
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
    if KIND == "picture":
        looked = Looked(browser, (1180, 800, 1, False), "light")
        looked.settle()
        looked.page.screenshot(path=SCREENSHOTS / "picture.png")
        sys.exit(0)
    for scheme in ["light", "dark"]:
        for name, size in [("desk", DESK), ("phone", PHONE)]:
            looked = Looked(browser, size, scheme)
            for use in USES.get((KIND, name), []):
                use(looked)
            looked.close(f"{name}-{scheme}")
    browser.close()
