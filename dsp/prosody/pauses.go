package prosody

// PauseMarks are the marks that can carry a pause.
func PauseMarks() []string {
	return []string{" ", "、", "。", "！", "？", "\n", ",", ".", "!", "?", "…", "—", "・", ";", ":"}
}

// DefaultPauses are the natural pauses in seconds at rate 1. Those at the space,
// 、, 。, the line break and ！ are what people asked for; the others follow them.
func DefaultPauses() map[string]float64 {
	return map[string]float64{
		" ": 0.2, "、": 0.3, "。": 0.5, "！": 0.6, "？": 0.6, "\n": 0.4,
		",": 0.3, ".": 0.5, "!": 0.6, "?": 0.6, "…": 0.4, "—": 0.4, "・": 0.15, ";": 0.35, ":": 0.3,
	}
}
