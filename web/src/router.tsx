// The app's addresses are real ones: each can be opened, reloaded and sent.
import { type AnchorHTMLAttributes, useSyncExternalStore } from "react";

const listeners = new Set<() => void>();
const tell = () => listeners.forEach((f) => f());

export function navigate(to: string, opts: { replace?: boolean } = {}) {
  if (to === location.pathname + location.search) return;
  history[opts.replace ? "replaceState" : "pushState"](null, "", to);
  tell();
  scrollTo(0, 0);
}

export function usePath(): string {
  return useSyncExternalStore(
    (f) => {
      listeners.add(f);
      addEventListener("popstate", f);
      return () => {
        listeners.delete(f);
        removeEventListener("popstate", f);
      };
    },
    () => location.pathname + location.search,
    () => "/",
  );
}

export function Link({ to, ...rest }: { to: string } & AnchorHTMLAttributes<HTMLAnchorElement>) {
  return (
    <a
      href={to}
      onClick={(e) => {
        if (e.metaKey || e.ctrlKey || e.shiftKey || e.button !== 0) return;
        e.preventDefault();
        navigate(to);
      }}
      {...rest}
    />
  );
}

// useOnline follows what the browser thinks of its connection.
export function useOnline(): boolean {
  return useSyncExternalStore(
    (f) => {
      addEventListener("online", f);
      addEventListener("offline", f);
      return () => {
        removeEventListener("online", f);
        removeEventListener("offline", f);
      };
    },
    () => navigator.onLine,
    () => true,
  );
}
