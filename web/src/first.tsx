// The first screen as text, for the build: it is in the page itself and seen
// before any of the app has run, which then takes its place.
import { renderToStaticMarkup } from "react-dom/server";
import { App } from "./app";
import { I18nProvider, type Lang } from "./i18n";

// draw gives what a first visitor sees. The security policy forbids styles in the
// text, and pictures that the service draws need it to be asked.
export function draw(lang: Lang): string {
  const html = renderToStaticMarkup(
    <I18nProvider initial={lang}>
      <App />
    </I18nProvider>,
  );
  return `<div class="first" inert>${html.replace(/ style="[^"]*"/g, "").replace(/<(img|link) [^>]*"\/api\/[^>]*>/g, "")}</div>`;
}
