import { Icon } from "./Icon";
import { play, stop, usePlaying } from "./player";

interface Props {
  id: string;
  label: string;
  src: string | (() => Promise<Blob | string>);
  volume?: number;
  disabled?: boolean;
}

// Play is a round button that starts and stops one sound.
export function Play({ id, label, src, volume, disabled }: Props) {
  const p = usePlaying();
  const mine = p.key === id ? p.state : "idle";
  const on = mine === "playing" || mine === "loading";
  return (
    <button
      type="button"
      className={`play ${mine}`}
      aria-label={label}
      aria-pressed={on}
      disabled={disabled}
      onClick={(e) => {
        e.preventDefault();
        if (on) stop();
        else void play(id, src, volume);
      }}
    >
      {mine === "loading" ? <span className="spin" aria-hidden="true" /> : <Icon name={mine === "playing" ? "stop" : mine === "failed" ? "alert" : "play"} size={20} />}
    </button>
  );
}
