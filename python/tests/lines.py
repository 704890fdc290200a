"""Lines made up at random: few names and times, so that points meet; escapes, all types, mistakes."""

from hypothesis import strategies as st

#: As they stand in a line.
MEASUREMENTS = ["m", "cpu", r"with\ space", r"with\,comma", "größe", "a=b", ".hidden", "%41"]
TAG_KEYS = ["host", "cpu", "Host", r"k\=1", "time", "é"]
TAG_VALUES = ["a", "b", "cpu0", r"x\ y", r"x\,y\=z", "\\", "ö", '"q"']
FIELD_KEYS = ["v", "w", "host", "usage_idle", "time", r"f\ 1", "V"]

STRINGS = ['""', '"x"', r'"a \"b\" c\\"', '"two\nlines, and = more"', '"ünïcode"', r'"\n"']
FLOATS = ["1", "-0", "0.1", "1e300", "-1.5E-10", "123456789.125", "4503599627370497.5", "1e-320"]
INTS = ["1i", "-9223372036854775808i", "9223372036854775807i", "0i", "42i"]
UINTS = ["1u", "18446744073709551615u", "0u"]
BOOLEANS = ["t", "F", "true", "False"]

VALUES = st.sampled_from(STRINGS + FLOATS + INTS + UINTS + BOOLEANS)
NUMBERS = st.sampled_from(["1", "2.5", "1i", "3i", "-7i", "0.1"])

#: Units of the precision since 1970; days apart, and close to each other.
TIMES = st.one_of(
    st.integers(0, 5),
    st.integers(0, 9_000_000),
    st.sampled_from([-1, 86_399, 86_400, 1_592_568_000, -9_000_000_000]),
)

BROKEN = st.sampled_from(
    ["m", "m v=", "m v=1x 5", 'm v="open 5', ",host=a v=1", "m v=1 2 3", "m,host= v=1 1", "m v=1e999 1", "m v=nan", "m\tv=1 1", "# comment", "", "m v=1i,v=2i 1"]
)


@st.composite
def line(draw, values=VALUES, measurements=st.sampled_from(MEASUREMENTS), times=TIMES, always_time=False):
    tags = draw(st.lists(st.sampled_from(TAG_KEYS), max_size=3, unique=True))
    fields = draw(st.lists(st.sampled_from(FIELD_KEYS), min_size=1, max_size=4, unique=True))
    head = draw(measurements) + "".join(f",{key}={draw(st.sampled_from(TAG_VALUES))}" for key in tags)
    time = "" if not always_time and draw(st.integers(0, 15)) == 0 else f" {draw(times)}"
    return head + " " + ",".join(f"{key}={draw(values)}" for key in fields) + time


def text(lines, end="\n") -> bytes:
    return "".join(line + end for line in lines).encode()


#: Good and bad lines, some of them twice, in any order.
@st.composite
def lines(draw):
    found = draw(st.lists(st.one_of(line(), line(), line(), BROKEN), max_size=40))
    again = draw(st.lists(st.sampled_from(found), max_size=10)) if found else []
    return draw(st.permutations(found + again))
