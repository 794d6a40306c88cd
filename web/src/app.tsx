import { lazy, Suspense, useEffect, useRef } from "react";
import { useI18n } from "./i18n";
import { Create } from "./pages/create/Create";
import { Link, useOnline, usePath } from "./router";
import { Icon } from "./ui/Icon";
import { ThemeSwitch } from "./ui/ThemeSwitch";

const TaskPage = lazy(() => import("./pages/task/TaskPage"));
const History = lazy(() => import("./pages/History"));

function Page({ path }: { path: string }) {
  const { t } = useI18n();
  const [pathname = "/", query = ""] = path.split("?");
  const [, first = "", second = "", third = ""] = pathname.split("/");
  switch (first) {
    case "":
      return <Create from={new URLSearchParams(query).get("from")} />;
    case "t":
      if (second && !third) return <TaskPage key={second} id={second} />;
      break;
    case "history":
      return <History />;
  }
  return (
    <main id="main" className="page narrow center" tabIndex={-1}>
      <h1>{t.notFound}</h1>
      <Link className="button" to="/">{t.goHome}</Link>
    </main>
  );
}

function Nav({ path }: { path: string }) {
  const { t } = useI18n();
  const items = [
    ["/", t.nav.create, "sparkle"],
    ["/history", t.nav.history, "film"],
    ["/voices", t.nav.voices, "mic"],
  ] as const;
  const here = path.split("?")[0];
  return (
    <nav className="nav" aria-label={t.appName}>
      {items.map(([to, name, icon]) => (
        <Link key={to} to={to} aria-current={here === to ? "page" : undefined}>
          <Icon name={icon} />
          <span>{name}</span>
        </Link>
      ))}
    </nav>
  );
}

export function App() {
  const { t, lang, setLang } = useI18n();
  const path = usePath();
  const online = useOnline();
  const first = useRef(true);
  useEffect(() => {
    // A new page is announced and reachable by keyboard at its start.
    if (first.current) first.current = false;
    else document.getElementById("main")?.focus({ preventScroll: true });
  }, [path]);
  return (
    <>
      <a className="skip" href="#main">{t.skip}</a>
      <header className="top">
        <Link to="/" className="brand">
          <Icon name="logo" />
          <span>{t.appName}</span>
        </Link>
        <Nav path={path} />
        <div className="top-tools">
          <ThemeSwitch />
          <button type="button" className="ghost lang" lang={lang === "ja" ? "en" : "ja"} aria-label={t.language} onClick={() => setLang(lang === "ja" ? "en" : "ja")}>
            {lang === "ja" ? "EN" : "日本語"}
          </button>
        </div>
      </header>
      {!online && <p className="banner" role="status">{t.offline}</p>}
      <Suspense fallback={<main id="main" className="page center muted">{t.loading}</main>}>
        <Page path={path} />
      </Suspense>
    </>
  );
}
