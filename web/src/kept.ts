// Small choices that this browser keeps. One that keeps nothing is no error: they
// hold until the page is left, then.
export function kept(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export function keep(key: string, value: string) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // see above
  }
}
