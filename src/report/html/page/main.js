// The page from top to bottom.

addWords();
beginTheme();
addFigures();
beginTime();
beginHosts();
beginPlots();
beginHeat();
addSeries();
addDays();
addRejects();
addSizes();
byId("bar").hidden = data.plots.length === 0;
