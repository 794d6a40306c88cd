import { lazy, Suspense, useEffect, useRef } from "react";
import { useI18n } from "./i18n";
import { Create } from "./pages/create/Create";
import { SignIn } from "./pages/SignIn";
import { Link, useOnline, usePath } from "./router";
import { useSession } from "./session";
import { Icon } from "./ui/Icon";
import { ThemeSwitch } from "./ui/ThemeSwitch";

const TaskPage = lazy(() => import("./pages/task/TaskPage"));
const DebugPage = lazy(() => import("./pages/task/DebugPage"));
const Ops = lazy(() => import("./pages/ops/Ops"));
const Voices = lazy(() => import("./pages/voices/Voices"));
const History = lazy(() => import("./pages/History"));

function Page({ path, role }: { path: string; role?: string }) {
  const { t } = useI18n();
  const [pathname = "/", query = ""] = path.split("?");
  const [, first = "", second = "", third = ""] = pathname.split("/");
  switch (first) {
    case "":
      return <Create from={new URLSearchParams(query).get("from")} />;
    case "t":
      if (second && !third) return <TaskPage key={second} id={second} />;
      if (second && third === "debug") return <DebugPage key={second} id={second} />;
      break;
    case "voices":
      return <Voices />;
    case "ops":
      return <Ops role={role} />;
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

function Nav({ path, operator }: { path: string; operator: boolean }) {
  const { t } = useI18n();
  const items = [
    ["/", t.nav.create, "sparkle"],
    ["/history", t.nav.history, "film"],
    ["/voices", t.nav.voices, "mic"],
    ...(operator ? [["/ops", t.nav.ops, "gear"] as const] : []),
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
  const { session, needed, signIn, signOut } = useSession();
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
        {!needed && <Nav path={path} operator={session?.role === "admin" || session?.role === "viewer"} />}
        <div className="top-tools">
          {session && !session.open && <button type="button" className="ghost" onClick={() => void signOut()}>{t.signIn.out}</button>}
          <ThemeSwitch />
          <button type="button" className="ghost lang" lang={lang === "ja" ? "en" : "ja"} aria-label={t.language} onClick={() => setLang(lang === "ja" ? "en" : "ja")}>
            {lang === "ja" ? "EN" : "日本語"}
          </button>
        </div>
      </header>
      {!online && <p className="banner" role="status">{t.offline}</p>}
      <Suspense fallback={<main id="main" className="page center muted">{t.loading}</main>}>
        {needed ? <SignIn signIn={signIn} /> : <Page path={path} role={session?.role} />}
      </Suspense>
    </>
  );
}
