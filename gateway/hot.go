package gateway

import (
	lru "container/list"
	"net/http"
	"sync"

	"github.com/videomsg/videomsg/status"
)

// hotBytes is how much of the newest documents is kept in memory.
const hotBytes = 32 << 20

// A doc is one status document as the bucket holds it, and what was made of it.
type doc struct {
	id  string
	rev uint64
	raw []byte

	once sync.Once
	t    status.Task
	err  error

	mu     sync.Mutex
	body   []byte // as clients see it, without progress; nil until asked for
	tag    string
	header http.Header // of the answer; shared by all of them
}

// hot keeps the documents that changed or were read last. It is guarded by the
// feed's lock.
type hot struct {
	limit, bytes int
	order        *lru.List // newest in front
	byID         map[string]*lru.Element
}

func newHot(limit int) hot {
	return hot{limit: limit, order: lru.New(), byID: map[string]*lru.Element{}}
}

func (h *hot) get(id string) *doc {
	e, ok := h.byID[id]
	if !ok {
		return nil
	}
	h.order.MoveToFront(e)
	return e.Value.(*doc)
}

// cost of a document: as read, decoded and rendered.
func (d *doc) cost() int { return 4*len(d.raw) + 512 }

func (h *hot) put(id string, rev uint64, raw []byte) {
	h.drop(id)
	d := &doc{id: id, rev: rev, raw: raw}
	h.byID[id] = h.order.PushFront(d)
	h.bytes += d.cost()
	for h.bytes > h.limit {
		h.drop(h.order.Back().Value.(*doc).id)
	}
}

func (h *hot) drop(id string) {
	if e, ok := h.byID[id]; ok {
		h.bytes -= h.order.Remove(e).(*doc).cost()
		delete(h.byID, id)
	}
}
