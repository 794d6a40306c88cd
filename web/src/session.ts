// Who is signed in. A service without sign-in has one local user, who is also its
// operator; an older one has no sessions at all.
import { useCallback, useEffect, useState } from "react";
import { ApiError, call, getJSON } from "./api/client";
import type { Session } from "./api/types";

export interface SessionState {
  session: Session | null;
  needed: boolean; // nobody is signed in, and somebody must be
  signIn: (token: string) => Promise<void>;
  signOut: () => Promise<void>;
}

export function useSession(): SessionState {
  const [session, setSession] = useState<Session | null>(null);
  const [needed, setNeeded] = useState(false);
  const load = useCallback(async () => {
    try {
      setSession(await getJSON<Session>("/api/session"));
      setNeeded(false);
    } catch (e) {
      setSession(null);
      setNeeded(e instanceof ApiError && e.status === 401);
    }
  }, []);
  useEffect(() => void load(), [load]);
  const signIn = useCallback(async (token: string) => {
    await call("/api/session", { json: { token } });
    await load();
  }, [load]);
  const signOut = useCallback(async () => {
    await call("/api/session", { method: "DELETE" });
    await load();
  }, [load]);
  return { session, needed, signIn, signOut };
}
