// What only the browser knows: its time zone, its colour scheme, and that a session has ended.
"use strict";

document.cookie = `zone=${Intl.DateTimeFormat().resolvedOptions().timeZone}; path=/; SameSite=Strict`;

(() => {
  const root = document.documentElement;
  const follow = () => {
    document.body.dataset.agThemeMode = root.getAttribute("data-mantine-color-scheme") || "light";
  };
  new MutationObserver(follow).observe(root, { attributes: true, attributeFilter: ["data-mantine-color-scheme"] });
  follow();
})();

(() => {
  const ask = window.fetch;
  window.fetch = async (...request) => {
    const answer = await ask(...request);
    if (answer.status === 401) {
      const { pathname, search } = window.location;
      window.location.assign(`/login?to=${encodeURIComponent(pathname + search)}`);
    }
    return answer;
  };
})();

window.dash_clientside = Object.assign({}, window.dash_clientside, {
  console: {
    // Choosing a page closes the navigation of a phone.
    toggle: (opened, pathname, navbar) => {
      const changed = window.dash_clientside.callback_context.triggered_id === "burger";
      return { ...navbar, collapsed: { mobile: !(changed && opened) } };
    },
    title: () => {
      const heading = document.querySelector("#content h1");
      const pipeline = window.location.pathname.split("/")[1];
      document.title = [heading && heading.textContent, pipeline, "automl-stream"].filter(Boolean).join(" · ");
      return document.title;
    },
  },
});
