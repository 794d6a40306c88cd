import { type FormEvent, useState } from "react";
import { ApiError } from "../api/client";
import { explain, useI18n } from "../i18n";

export function SignIn({ signIn }: { signIn: (token: string) => Promise<void> }) {
  const { t } = useI18n();
  const [token, setToken] = useState("");
  const [problem, setProblem] = useState("");
  async function submit(e: FormEvent) {
    e.preventDefault();
    try {
      await signIn(token.trim());
    } catch (err) {
      setProblem(err instanceof ApiError && err.status === 401 ? t.signIn.wrong : explain(t, err));
    }
  }
  return (
    <main id="main" className="page narrow" tabIndex={-1}>
      <form className="card stack" onSubmit={submit}>
        <h1>{t.signIn.title}</h1>
        <p className="muted">{t.signIn.lead}</p>
        <div>
          <label className="label" htmlFor="token">{t.signIn.token}</label>
          <input id="token" type="text" autoComplete="off" spellCheck={false} required value={token} onChange={(e) => setToken(e.target.value)} />
        </div>
        {problem && <p className="error" role="alert">{problem}</p>}
        <button className="primary big">{t.signIn.go}</button>
      </form>
    </main>
  );
}
