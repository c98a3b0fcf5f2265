// What the tables' columns call: moments in the browser's zone, and the look of a table.
"use strict";

(() => {
  const functions = (window.dashAgGridFunctions = window.dashAgGridFunctions || {});
  const two = (number) => String(number).padStart(2, "0");

  functions.moment = (ms) => {
    if (ms === null || ms === undefined) {
      return "–";
    }
    const at = new Date(ms);
    const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-");
    return `${day} ${[at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":")}`;
  };

  functions.utc = (ms) =>
    ms === null || ms === undefined ? "" : `${new Date(ms).toISOString().replace("T", " ").replace("Z", "")} UTC`;

  functions.consoleTheme = (quartz) =>
    quartz.withParams({
      backgroundColor: "var(--mantine-color-body)",
      foregroundColor: "var(--mantine-color-text)",
      borderColor: "var(--mantine-color-default-border)",
      accentColor: "var(--mantine-primary-color-filled)",
      headerBackgroundColor: "var(--console-quiet)",
      fontFamily: "inherit",
      fontSize: 13,
      spacing: 6,
    });
})();
