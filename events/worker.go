package events

import "time"

// A Worker is one process at work for one stage, as it says itself on
// WorkerSubject every few seconds. Such messages are kept nowhere: who has been
// silent for WorkerSilence is gone.
type Worker struct {
	ID      string    `json:"id"` // of the process: a new one with each start
	Host    string    `json:"host,omitempty"`
	Process int       `json:"process,omitempty"` // number on its host
	Version string    `json:"version,omitempty"`
	Since   time.Time `json:"since"` // when the process began
	Stage   string    `json:"stage"`
	Places  int       `json:"places"` // how many tasks it handles at once
	Running []Run     `json:"running"`
}

// A Run is a task that a worker is busy with.
type Run struct {
	Task    string    `json:"task"`
	Attempt int       `json:"attempt"`
	Since   time.Time `json:"since"`
}

// WorkerSilence is after how long without a word a worker counts as gone.
const WorkerSilence = 10 * time.Second

// WorkerSubject is where a worker says that it is there.
func WorkerSubject(stage, id string) string { return "vmp." + stage + ".worker." + id }
