// Line icons on a 24-unit grid, drawn for this app.
const paths: Record<string, string> = {
  sparkle: "M11 4l1.9 5.1L18 11l-5.1 1.9L11 18l-1.9-5.1L4 11l5.1-1.9zM18.5 15.5v4M16.5 17.5h4",
  film: "M4 5.5h16v13H4zM8 5.5v13M16 5.5v13M4 9.8h4M4 14.2h4M16 9.8h4M16 14.2h4",
  mic: "M12 3.5a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0v-5a3 3 0 0 1 3-3zM5.5 11a6.5 6.5 0 0 0 13 0M12 17.5v3M8.5 20.5h7",
  gear: "M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM12 3v3M12 18v3M3 12h3M18 12h3M5.6 5.6l2.2 2.2M16.2 16.2l2.2 2.2M5.6 18.4l2.2-2.2M16.2 7.8l2.2-2.2",
  camera: "M4 8h3.2L9 5.5h6L16.8 8H20v11H4zM12 10a3.4 3.4 0 1 0 0 6.8 3.4 3.4 0 0 0 0-6.8z",
  image: "M4 5h16v14H4zM4 16l4.5-4.5 4 4 3-3L20 17M15.5 8a1.4 1.4 0 1 0 0 2.8 1.4 1.4 0 0 0 0-2.8z",
  play: "M8 5.5v13l10.5-6.5z",
  stop: "M7 7h10v10H7z",
  check: "M5 12.5l4.5 4.5L19 7.5",
  cross: "M6 6l12 12M18 6L6 18",
  alert: "M12 4l9 16H3zM12 10v4.5M12 17v.4",
  download: "M12 4v11M7.5 10.5L12 15l4.5-4.5M5 19.5h14",
  share: "M12 15V4M8 7.5L12 3.5l4 4M6 11H5v9.5h14V11h-1",
  redo: "M19 12a7 7 0 1 1-2.2-5.1M19 3.5v4h-4",
  trash: "M5 7h14M9.5 7V4.5h5V7M7 7l.8 13h8.4L17 7M10.5 10.5v6M13.5 10.5v6",
  edit: "M4.5 19.5l.8-3.7L16 5.1a1.6 1.6 0 0 1 2.3 0l.6.6a1.6 1.6 0 0 1 0 2.3L8.2 18.7zM14 7l3 3",
  search: "M10.5 4.5a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM15 15l5 5",
  clock: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 8v4.5l3 2",
  note: "M9 18V6l10-2v12M9 18a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0zM19 16a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0z",
  heart: "M12 19.5S4.5 15 4.5 9.7A4 4 0 0 1 12 7.8a4 4 0 0 1 7.5 1.9c0 5.3-7.5 9.8-7.5 9.8z",
  text: "M5 6.5h14M5 11h14M5 15.5h9",
  link: "M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.3l-1 1M14 10a4 4 0 0 0-5.7 0l-3 3A4 4 0 0 0 11 18.7l1-1",
  list: "M8 6h12M8 12h12M8 18h12M4 6h.5M4 12h.5M4 18h.5",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  moon: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z",
  auto: "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
  plus: "M12 5v14M5 12h14",
  pause: "M8.5 6v12M15.5 6v12",
  wave: "M4 12h1M8 8v8M12 5v14M16 9v6M20 12h-.5",
};

export function Icon({ name, size = 24 }: { name: string; size?: number }) {
  if (name === "logo")
    return (
      <svg className="icon logo" viewBox="0 0 32 32" width={32} height={32} aria-hidden="true">
        <path fill="currentColor" d="M16 3C8.3 3 2.5 8 2.5 14.4c0 3.5 1.7 6.4 4.5 8.5l-1 5.3c-.1.6.5 1 1 .8l5.7-2.8c1 .2 2.1.3 3.3.3 7.7 0 13.5-5 13.5-11.9S23.7 3 16 3z" />
        <path fill="var(--paper)" d="M12.7 9.9v9.4c0 .7.8 1.1 1.4.7l7.2-4.7c.5-.4.5-1.1 0-1.4l-7.2-4.7c-.6-.4-1.4 0-1.4.7z" />
      </svg>
    );
  const filled = name === "play" || name === "stop";
  return (
    <svg className="icon" viewBox="0 0 24 24" width={size} height={size} aria-hidden="true" fill={filled ? "currentColor" : "none"} stroke="currentColor" strokeWidth={1.8} strokeLinecap="round" strokeLinejoin="round">
      <path d={paths[name] ?? ""} />
    </svg>
  );
}
