// Light and dark: as the system has it, until somebody chooses.

const themeChanged = new Set();

const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : systemIsDark.matches;
}

/** A colour of the style sheet as it is now. */
function colour(variable) {
  return getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
}

function themed() {
  byId("theme").textContent = isDark() ? "Light" : "Dark";
  byId("theme").title = isDark() ? "Show the page light" : "Show the page dark";
  for (const changed of themeChanged) changed();
}

function beginTheme() {
  byId("theme").addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    themed();
  });
  systemIsDark.addEventListener("change", themed);
  themed();
}
