package profile

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/videomsg/videomsg/engines"
	"github.com/videomsg/videomsg/engines/speech"
)

// memory is a Store and Blobs in memory; set an error to have the next calls
// fail, before or after they took effect.
type memory struct {
	mu       sync.Mutex
	profiles map[string]Profile
	blobs    map[string][]byte
	gets     int
	fail     error // every write fails and does nothing
	lose     error // every Put of a profile happens and then fails
}

func newMemory() *memory { return &memory{profiles: map[string]Profile{}, blobs: map[string][]byte{}} }

func (m *memory) Get(_ context.Context, id string) (Profile, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gets++
	p, ok := m.profiles[id]
	if !ok {
		return Profile{}, ErrNotFound
	}
	p.Samples = slices.Clone(p.Samples)
	return p, nil
}

func (m *memory) Put(_ context.Context, p Profile) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return 0, m.fail
	}
	if m.profiles[p.ID].Revision != p.Revision {
		return 0, ErrConflict
	}
	p.Revision++
	m.profiles[p.ID] = p
	return p.Revision, m.lose
}

func (m *memory) Delete(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.profiles, id)
	return m.fail
}

func (m *memory) List(_ context.Context, owner string) ([]Profile, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Profile
	for _, p := range m.profiles {
		if p.Owner == owner {
			out = append(out, p)
		}
	}
	return out, nil
}

type blobs struct{ *memory }

func (b blobs) Put(_ context.Context, key string, r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.blobs[key] = data
	return b.fail
}

func (b blobs) Delete(_ context.Context, key string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return b.fail
	}
	delete(b.blobs, key)
	return nil
}

// cloner counts what it was asked.
type cloner struct {
	made, deleted []string
	err           error
	meanwhile     func()
}

func (c *cloner) Create(_ context.Context, n speech.NewProfile) (string, error) {
	if c.meanwhile != nil {
		c.meanwhile()
	}
	c.made = append(c.made, n.ID)
	return "engine-" + n.ID, c.err
}

func (c *cloner) Delete(_ context.Context, id string) error {
	c.deleted = append(c.deleted, id)
	return nil
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func valid() Profile {
	return Profile{
		Owner: "u1", Name: "母の声", Language: "ja",
		Consent: Consent{
			Speaker: "山田花子", Basis: Permission, Statement: "私の声をメッセージに使うことに同意します。",
			GivenAt: noon.Add(-time.Hour), Scope: []Use{UseMessages},
		},
	}
}

func samples(n int) []speech.Sample {
	return slices.Repeat([]speech.Sample{{WAV: []byte("RIFF"), Seconds: 10}}, n)
}

func registry(m *memory, c Cloner, now *time.Time) *Registry {
	return NewRegistry(m, blobs{m}, c, func() time.Time { return *now })
}

func TestLifeOfAProfile(t *testing.T) {
	m, c, now := newMemory(), &cloner{}, noon
	r := registry(m, c, &now)
	ctx := t.Context()
	p, err := r.Create(ctx, "p1", valid(), samples(3))
	if err != nil {
		t.Fatal(err)
	}
	if p.Status != Ready || p.EngineID != "engine-p1" || len(m.blobs) != 3 {
		t.Errorf("%+v with %d blobs", p, len(m.blobs))
	}
	if err := r.MayUse(ctx, "u1", "p1", UseMessages); err != nil {
		t.Error(err)
	}
	if err := r.MayUse(ctx, "u1", "p1", UsePublic); !errors.Is(err, speech.ErrConsent) {
		t.Errorf("use that is not covered: %v", err)
	}
	for _, owner := range []string{"u2", ""} {
		if err := r.MayUse(ctx, owner, "p1", UseMessages); !errors.Is(err, ErrNotFound) {
			t.Errorf("owner %q: %v", owner, err)
		}
		if _, err := r.Get(ctx, owner, "p1"); !errors.Is(err, ErrNotFound) {
			t.Errorf("owner %q reads: %v", owner, err)
		}
		if _, err := r.Withdraw(ctx, owner, "p1", owner); !errors.Is(err, ErrNotFound) {
			t.Errorf("owner %q withdraws: %v", owner, err)
		}
		if err := r.Delete(ctx, owner, "p1"); !errors.Is(err, ErrNotFound) {
			t.Errorf("owner %q deletes: %v", owner, err)
		}
	}
	name := "お母さん"
	if p, err := r.Edit(ctx, "u1", "p1", &name, nil, nil); err != nil || p.Name != name || p.Language != "ja" {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := r.Get(ctx, "u1", "p1"); err != nil || p.Name != name {
		t.Errorf("after an edit %q, %v", p.Name, err)
	}
	if list, err := r.List(ctx, "u1"); err != nil || len(list) != 1 {
		t.Errorf("%d profiles, %v", len(list), err)
	}
	if err := r.Delete(ctx, "u1", "p1"); err != nil {
		t.Fatal(err)
	}
	if len(m.blobs) != 0 || len(m.profiles) != 0 || !slices.Equal(c.deleted, []string{"engine-p1"}) {
		t.Errorf("left: %d blobs, %d profiles; deleted %v", len(m.blobs), len(m.profiles), c.deleted)
	}
	if _, err := r.Get(ctx, "u1", "p1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted: %v", err)
	}
}

// A second gateway has its own cache; consent must not wait for it.
func TestWithdrawalCountsAtOnceEverywhere(t *testing.T) {
	m, now := newMemory(), noon
	a, b := registry(m, &cloner{}, &now), registry(m, &cloner{}, &now)
	ctx := t.Context()
	if _, err := a.Create(ctx, "p1", valid(), samples(1)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Get(ctx, "u1", "p1"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Withdraw(ctx, "u1", "p1", "u1"); err != nil {
		t.Fatal(err)
	}
	if err := b.MayUse(ctx, "u1", "p1", UseMessages); !errors.Is(err, speech.ErrConsent) || !errors.Is(err, engines.ErrInput) {
		t.Errorf("other gateway: %v", err)
	}
	// For display five minutes are allowed, unless a watch says otherwise.
	if p, err := b.Get(ctx, "u1", "p1"); err != nil || p.Consent.Withdrawn != nil {
		t.Errorf("not from the cache: %v", err)
	}
	b.Forget("p1")
	if p, err := b.Get(ctx, "u1", "p1"); err != nil || p.Consent.Withdrawn == nil {
		t.Errorf("after Forget: %v", err)
	}
	gets := m.gets
	if _, err := b.Get(ctx, "u1", "p1"); err != nil || m.gets != gets {
		t.Error("the cache is not used")
	}
	now = now.Add(6 * time.Minute)
	if _, err := b.Get(ctx, "u1", "p1"); err != nil || m.gets != gets+1 {
		t.Error("the cache does not end")
	}
	again, err := a.Withdraw(ctx, "u1", "p1", "somebody")
	if err != nil || again.Consent.WithdrawnBy != "u1" || !again.Consent.Withdrawn.Equal(noon) {
		t.Errorf("withdrawn again: %+v, %v", again.Consent, err)
	}
}

func TestConsentRunsOut(t *testing.T) {
	m, now := newMemory(), noon
	r := registry(m, &cloner{}, &now)
	p := valid()
	end := noon.Add(time.Hour)
	p.Consent.Expires = &end
	if _, err := r.Create(t.Context(), "p1", p, samples(1)); err != nil {
		t.Fatal(err)
	}
	now = end.Add(-time.Second)
	if err := r.MayUse(t.Context(), "u1", "p1", UseMessages); err != nil {
		t.Error(err)
	}
	now = end
	if err := r.MayUse(t.Context(), "u1", "p1", UseMessages); !errors.Is(err, speech.ErrConsent) {
		t.Error(err)
	}
}

func TestWithdrawnWhileTheVoiceIsMade(t *testing.T) {
	m, now := newMemory(), noon
	c := &cloner{}
	r := registry(m, c, &now)
	c.meanwhile = func() {
		if _, err := r.Withdraw(t.Context(), "u1", "p1", "u1"); err != nil {
			t.Error(err)
		}
	}
	p, err := r.Create(t.Context(), "p1", valid(), samples(1))
	if err != nil || p.Consent.Withdrawn == nil || p.Status != Ready {
		t.Errorf("%+v, %v", p, err)
	}
	c.meanwhile = func() {
		if err := m.Delete(t.Context(), "p2"); err != nil {
			t.Error(err)
		}
	}
	if _, err := r.Create(t.Context(), "p2", valid(), samples(1)); !errors.Is(err, ErrNotFound) || !slices.Contains(c.deleted, "engine-p2") {
		t.Errorf("deleted meanwhile: %v, engine deleted %v", err, c.deleted)
	}
}

func TestFailures(t *testing.T) {
	boom := errors.New("boom")
	now := noon
	t.Run("the engine", func(t *testing.T) {
		m := newMemory()
		p, err := registry(m, &cloner{err: boom}, &now).Create(t.Context(), "p1", valid(), samples(1))
		if !errors.Is(err, boom) || p.Status != Failed || strings.Contains(p.Reason, "boom") || m.profiles["p1"].Status != Failed {
			t.Errorf("%+v, %v", p, err)
		}
	})
	t.Run("writes that do nothing", func(t *testing.T) {
		m := newMemory()
		m.fail = boom
		if _, err := registry(m, &cloner{}, &now).Create(t.Context(), "p1", valid(), samples(1)); !errors.Is(err, boom) {
			t.Error(err)
		}
	})
	t.Run("a write that happens and is reported lost", func(t *testing.T) {
		m := newMemory()
		r := registry(m, &cloner{}, &now)
		if _, err := r.Create(t.Context(), "p1", valid(), samples(1)); err != nil {
			t.Fatal(err)
		}
		m.lose = boom
		if _, err := r.Withdraw(t.Context(), "u1", "p1", "u1"); !errors.Is(err, boom) {
			t.Error(err)
		}
		if err := r.MayUse(t.Context(), "u1", "p1", UseMessages); !errors.Is(err, speech.ErrConsent) {
			t.Errorf("withdrawn though: %v", err)
		}
	})
	t.Run("deleting a part", func(t *testing.T) {
		m := newMemory()
		r := registry(m, &cloner{}, &now)
		if _, err := r.Create(t.Context(), "p1", valid(), samples(2)); err != nil {
			t.Fatal(err)
		}
		// Only the blobs refuse: the withdrawal must stand.
		fb := NewRegistry(m, failing{}, &cloner{}, func() time.Time { return now })
		if err := fb.Delete(t.Context(), "u1", "p1"); !errors.Is(err, io.ErrClosedPipe) {
			t.Error(err)
		}
		if err := r.MayUse(t.Context(), "u1", "p1", UseMessages); !errors.Is(err, speech.ErrConsent) {
			t.Errorf("half deleted: %v", err)
		}
		if err := r.Delete(t.Context(), "u1", "p1"); err != nil {
			t.Error(err)
		}
	})
}

type failing struct{}

func (failing) Put(context.Context, string, io.Reader) error { return io.ErrClosedPipe }
func (failing) Delete(context.Context, string) error         { return io.ErrClosedPipe }

func TestWritersDoNotOverwriteEachOther(t *testing.T) {
	m, now := newMemory(), noon
	r := registry(m, &cloner{}, &now)
	if _, err := r.Create(t.Context(), "p1", valid(), samples(1)); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			name := strings.Repeat("x", i+1)
			if _, err := r.Edit(t.Context(), "u1", "p1", &name, nil, nil); err != nil && !errors.Is(err, ErrConflict) {
				t.Error(err)
			}
		})
	}
	wg.Go(func() {
		if _, err := r.Withdraw(t.Context(), "u1", "p1", "u1"); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
	if m.profiles["p1"].Consent.Withdrawn == nil {
		t.Error("an edit undid the withdrawal")
	}
}

func TestValidateNamesTheField(t *testing.T) {
	later := noon.Add(time.Hour)
	for field, change := range map[string]func(*Profile){
		"owner":              func(p *Profile) { p.Owner = "" },
		"name":               func(p *Profile) { p.Name = " " },
		"name ":              func(p *Profile) { p.Name = strings.Repeat("あ", 101) },
		"name  ":             func(p *Profile) { p.Name = "a\x00" },
		"description":        func(p *Profile) { p.Description = strings.Repeat("x", 1001) },
		"language":           func(p *Profile) { p.Language = "not a tag" },
		"consent.speaker":    func(p *Profile) { p.Consent.Speaker = "" },
		"consent.basis":      func(p *Profile) { p.Consent.Basis = "because" },
		"consent.statement":  func(p *Profile) { p.Consent.Statement = "" },
		"consent.given_at":   func(p *Profile) { p.Consent.GivenAt = later },
		"consent.given_at ":  func(p *Profile) { p.Consent.GivenAt = time.Time{} },
		"consent.scope":      func(p *Profile) { p.Consent.Scope = nil },
		"consent.scope ":     func(p *Profile) { p.Consent.Scope = []Use{"all"} },
		"consent.expires":    func(p *Profile) { t := p.Consent.GivenAt; p.Consent.Expires = &t },
		"audio_samples":      func(p *Profile) {},
		"id":                 func(p *Profile) {},
		"audio_samples none": func(p *Profile) {},
	} {
		t.Run(field, func(t *testing.T) {
			p, id, n := valid(), "p1", 1
			change(&p)
			switch field {
			case "audio_samples":
				n = 6
			case "audio_samples none":
				n = 0
			case "id":
				id = "../x"
			}
			now := noon
			_, err := registry(newMemory(), &cloner{}, &now).Create(t.Context(), id, p, samples(n))
			e, ok := errors.AsType[*FieldError](err)
			want, _, _ := strings.Cut(field, " ")
			if !ok || e.Field != want || !errors.Is(err, engines.ErrInput) {
				t.Errorf("%v", err)
			}
		})
	}
}
