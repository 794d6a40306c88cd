import { useEffect, useState } from "react";
import { useI18n } from "../i18n";
import { keep, kept } from "../kept";
import { Icon } from "./Icon";

type Theme = "auto" | "light" | "dark";
const key = "videomsg.theme";
const next: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };

export function ThemeSwitch() {
  const { t } = useI18n();
  const [theme, setTheme] = useState<Theme>(() => {
    const v = kept(key);
    return v === "light" || v === "dark" ? v : "auto";
  });
  useEffect(() => {
    const root = document.documentElement;
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
    keep(key, theme);
  }, [theme]);
  return (
    <button type="button" className="ghost square" aria-label={t.theme[theme]} title={t.theme[theme]} onClick={() => setTheme(next[theme])}>
      <Icon name={theme === "auto" ? "auto" : theme === "light" ? "sun" : "moon"} />
    </button>
  );
}
