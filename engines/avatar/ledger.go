package avatar

import "context"

// A Ledger remembers outside jobs, some of which cost money, under a key that
// names engine and task. It must survive the process: what it remembers decides
// whether a job is bought again. It is used concurrently.
type Ledger interface {
	// Begin notes the intent to start a job, before it is asked for. Of all calls
	// for a key exactly one answers first; the others get the id of the job, or
	// an empty id while nobody knows whether there is one.
	Begin(ctx context.Context, key string) (id string, first bool, err error)
	// Started notes the id of the job. It has been kept when it returns nil.
	Started(ctx context.Context, key, id string) error
	// Find is the id of the job, and whether anything is known of key.
	Find(ctx context.Context, key string) (id string, known bool, err error)
	// Forget removes what is known of key: no job was started, or it is gone.
	Forget(ctx context.Context, key string) error
}

// ledgerKey is made of letters, digits, - and _ only, with one dot.
func ledgerKey(engine, task string) string { return engine + "." + task }
