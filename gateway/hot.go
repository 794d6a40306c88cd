package gateway

import (
	lru "container/list"
	"encoding/json"
	"net/http"
	"strconv"
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

	mu      sync.Mutex
	answers map[bool]*rendered // in Japanese or not, without progress
}

// A rendered document is what clients get of it. It is shared by all of them and
// never changed.
type rendered struct {
	body   []byte
	tag    string
	header http.Header
}

// answer renders the document when it is asked for the first time.
func (d *doc) answer(ja bool, render func() (view, error)) (*rendered, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a := d.answers[ja]; a != nil {
		return a, nil
	}
	v, err := render()
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	a := &rendered{body: append(body, '\n'), tag: etag(d.t, d.rev, nil, ja)}
	a.header = http.Header{
		"Etag": {a.tag}, "Cache-Control": {"no-cache"}, "Vary": {"Accept-Language"},
		"Content-Type": {"application/json"}, "Content-Length": {strconv.Itoa(len(a.body))},
	}
	if !d.t.Terminal() {
		a.header["Retry-After"] = []string{"1"}
	}
	if d.answers == nil {
		d.answers = map[bool]*rendered{}
	}
	d.answers[ja] = a
	return a, nil
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
