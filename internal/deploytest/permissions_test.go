package deploytest

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// A check is one thing a user may or may not say or hear.
type check struct {
	user, do, subject string // do: pub or sub
	allow             bool
}

var stageNames = []string{"image", "voice", "prosody", "bgm", "video"}

// matrix is who may do what, written from the point of view of an attacker who
// has one seed, apart from the file that grants it.
func matrix() []check {
	var all []check
	add := func(user, do string, allow bool, subjects ...string) {
		for _, s := range subjects {
			all = append(all, check{user, do, s, allow})
		}
	}
	// The gateway starts, cancels and erases tasks.
	add("gateway", "pub", true, "vm.task.submitted.t", "vm.task.submittedbulk.t", "vm.task.canceled.t", "vm.task.erased.t",
		"vm.task.ended.t", "vm.image.requested.t", "vm.video.requested.t",
		"$JS.API.CONSUMER.PAUSE.VM_EVENTS.stage-voice", "$JS.API.CONSUMER.CREATE.VM_EVENTS.abc.vm.*.*.t",
		"$KV.vm_idempotency.k", "$KV.vm_profiles.p", "$KV.vm_webhooks.o", "$KV.vm_limits.k", "$KV.vm_library.k",
		"$O.vm_blobs.C.x", "$O.vm_blobs.M.x", "$JS.API.STREAM.MSG.DELETE.OBJ_vm_blobs", "vmw.due.e.1", "vmh.token")
	add("gateway", "pub", false, "vm.image.ready.t", "vm.voice.retry.t", "vms.voice.t", "vmp.voice.t", "vmp.voice.worker.w",
		"$KV.vm_status.t", "$KV.vm_cache.k", "vmw.body.e.1", "vmw.log.e.1",
		"$JS.API.STREAM.DELETE.VM_EVENTS", "$JS.API.STREAM.UPDATE.VM_EVENTS", "$JS.API.STREAM.CREATE.X", "$JS.API.STREAM.MSG.DELETE.VM_EVENTS",
		"$JS.API.STREAM.PURGE.KV_vm_status", "$JS.API.CONSUMER.DELETE.VM_EVENTS.stage-voice", "$JS.API.CONSUMER.DELETE.VM_EVENTS.status",
		"$JS.API.CONSUMER.MSG.NEXT.VM_EVENTS.stage-image", "$JS.API.CONSUMER.MSG.NEXT.VM_EVENTS.status", "$JS.API.CONSUMER.MSG.NEXT.VM_WEBHOOKS.deliver",
		"$JS.API.CONSUMER.CREATE.VM_EVENTS.stage-image.vm.image.requested.*", "$JS.API.CONSUMER.DURABLE.CREATE.VM_EVENTS.x", "$JS.API.CONSUMER.CREATE.VM_EVENTS.x",
		"$JS.ACK.VM_EVENTS.stage-voice.1.1.1.1.1", "live.ended.t", "$SYS.REQ.SERVER.PING")
	add("gateway", "sub", true, "_INBOX_gateway.x", "vmp.*.*", "vmp.*.worker.*")
	add("gateway", "sub", false, "_INBOX.x", "_INBOX_voice.x", "vm.>", "$KV.>", "$JS.EVENT.ADVISORY.>", ">")
	for i, s := range stageNames {
		other := stageNames[(i+1)%len(stageNames)]
		add(s, "pub", true, "vm."+s+".ready.t", "vm."+s+".failed.t", "vm."+s+".retry.t", "vms."+s+".t", "vm."+other+".requested.t", "vm.task.ended.t", "vmp."+s+".t", "vmp."+s+".worker.w",
			"$JS.API.CONSUMER.MSG.NEXT.VM_EVENTS.stage-"+s, "$JS.ACK.VM_EVENTS.stage-"+s+".1.1.1.1.1", "$JS.ACK._.acc.VM_EVENTS.stage-"+s+".1.1.1.1.1",
			"$JS.API.CONSUMER.CREATE.VM_EVENTS.abc.vm.task.canceled.*", "$JS.API.DIRECT.GET.VM_EVENTS.vm."+s+".ready.t",
			"$KV.vm_cache.k", "$O.vm_blobs.C.x", "$O.vm_blobs.M.x")
		add(s, "pub", false, "vm."+other+".ready.t", "vm."+other+".failed.t", "vms."+other+".t", "vm.task.submitted.t", "vm.task.canceled.t", "vm.task.erased.t", "vmp."+other+".t", "vmp."+other+".worker.w",
			"$JS.API.CONSUMER.MSG.NEXT.VM_EVENTS.stage-"+other, "$JS.API.CONSUMER.MSG.NEXT.VM_EVENTS.status", "$JS.API.CONSUMER.MSG.NEXT.VM_EVENTS.ext-partner",
			"$JS.ACK.VM_EVENTS.stage-"+other+".1.1.1.1.1", "$JS.API.CONSUMER.CREATE.VM_EVENTS.abc.vm.*.*.*",
			"$JS.API.CONSUMER.CREATE.VM_EVENTS.stage-"+other+".vm.task.canceled.*", "$JS.API.CONSUMER.CREATE.VM_EVENTS.stage-"+s+".vm.task.canceled.*",
			"$JS.API.CONSUMER.DELETE.VM_EVENTS.stage-"+other, "$JS.API.CONSUMER.PAUSE.VM_EVENTS.stage-"+s,
			"$JS.API.DIRECT.GET.VM_EVENTS.vm."+other+".ready.t", "$JS.API.DIRECT.GET.VM_EVENTS", "$JS.API.STREAM.MSG.GET.VM_EVENTS",
			"$JS.API.STREAM.PURGE.VM_EVENTS", "$JS.API.STREAM.DELETE.OBJ_vm_blobs", "$KV.vm_status.t", "$KV.vm_webhooks.o", "$KV.vm_idempotency.k")
		add(s, "sub", true, "_INBOX_"+s+".x")
		add(s, "sub", false, "_INBOX_"+other+".x", "_INBOX_gateway.>", "vm.>", "vmp.>", "$O.>")
	}
	add("voice", "pub", true, "$KV.vm_profiles.p")
	add("video", "pub", false, "$KV.vm_profiles.p", "$JS.API.DIRECT.GET.KV_vm_profiles.$KV.vm_profiles.p")
	add("video", "pub", true, "$KV.vm_orders.video.t")
	add("gateway", "pub", true, "$KV.vm_orders.avatar.t", "$JS.API.DIRECT.GET.KV_vm_orders.$KV.vm_orders.avatar.t")
	for _, u := range []string{"image", "voice", "prosody", "bgm", "status", "notify"} {
		add(u, "pub", false, "$KV.vm_orders.video.t")
	}
	add("video", "sub", true, "vmh.token")
	add("video", "pub", false, "vmh.token")
	add("voice", "sub", false, "vmh.token")
	add("status", "pub", true, "$KV.vm_status.t", "$JS.API.CONSUMER.MSG.NEXT.VM_EVENTS.status", "$JS.ACK.VM_EVENTS.status.1.1.1.1.1")
	add("status", "pub", false, "vm.task.ended.t", "vm.image.ready.t", "vm.image.requested.t", "$O.vm_blobs.C.x", "$JS.API.DIRECT.GET.OBJ_vm_blobs",
		"$JS.API.CONSUMER.MSG.NEXT.VM_EVENTS.task", "$JS.API.STREAM.PURGE.KV_vm_status", "$KV.vm_profiles.p")
	add("status", "sub", false, "vm.>", "_INBOX_gateway.>")
	add("notify", "pub", true, "vmw.body.e.1", "vmw.due.e.1", "vmw.later.e.1", "vmw.log.e.1", "$JS.API.CONSUMER.MSG.NEXT.VM_WEBHOOKS.deliver", "$KV.vm_webhooks.o")
	add("notify", "pub", false, "vm.task.ended.t", "vm.task.submitted.t", "$KV.vm_status.t", "$O.vm_blobs.M.x", "$JS.API.STREAM.INFO.OBJ_vm_blobs",
		"$JS.API.CONSUMER.MSG.NEXT.VM_EVENTS.status", "$JS.API.STREAM.DELETE.VM_WEBHOOKS")
	add("partner", "pub", true, "$JS.API.CONSUMER.INFO.VM_EVENTS.ext-partner", "$JS.API.CONSUMER.MSG.NEXT.VM_EVENTS.ext-partner", "$JS.ACK.VM_EVENTS.ext-partner.1.1.1.1.1")
	add("partner", "pub", false, "vm.task.ended.t", "vm.task.submitted.t", "$JS.API.STREAM.INFO.VM_EVENTS", "$JS.API.DIRECT.GET.VM_EVENTS.vm.task.ended.t",
		"$JS.API.CONSUMER.CREATE.VM_EVENTS.x.vm.task.ended.*", "$JS.API.CONSUMER.MSG.NEXT.VM_EVENTS.notify", "$JS.API.DIRECT.GET.OBJ_vm_blobs", "$KV.vm_status.t")
	add("partner", "sub", false, "vm.>", "live.>", "_INBOX.>")
	add("subscriber", "sub", true, "live.ended.*", "live.ended.t")
	add("subscriber", "sub", false, "vm.>", "vm.task.ended.*", "vmp.>", "_INBOX.>", ">", "$SYS.>")
	add("subscriber", "pub", false, "live.ended.t", "vm.task.ended.t", "$JS.API.INFO", "anything")
	add("operator", "pub", true, "$JS.API.STREAM.UPDATE.VM_EVENTS", "$JS.API.CONSUMER.CREATE.VM_EVENTS.stage-voice.x", "$KV.vm_status.t")
	add("operator", "pub", false, "vm.voice.ready.t", "vm.task.ended.t", "vmp.voice.t", "$SYS.REQ.SERVER.PING")
	add("operator", "sub", true, "vm.>", "vmp.>", "$JS.EVENT.ADVISORY.>")
	add("operator", "sub", false, "_INBOX_gateway.>", "$SYS.>")
	return all
}

// denials collects what the broker refuses on one connection.
type denials struct {
	mu  sync.Mutex
	all []string
}

func (d *denials) note(_ *nats.Conn, _ *nats.Subscription, err error) {
	if errors.Is(err, nats.ErrPermissionViolation) {
		d.mu.Lock()
		d.all = append(d.all, err.Error())
		d.mu.Unlock()
	}
}

func (d *denials) has(kind, subject string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.all {
		if strings.Contains(strings.ToLower(s), strings.ToLower(kind+` to "`+subject+`"`)) {
			return true
		}
	}
	return false
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	checks := matrix()
	users := map[string][]check{}
	allowed, refused := 0, 0
	for _, c := range checks {
		users[c.user] = append(users[c.user], c)
		if c.allow {
			allowed++
		} else {
			refused++
		}
	}
	t.Logf("%d users, %d allowed, %d denied", len(users), allowed, refused)
	if allowed+refused < 60 {
		t.Errorf("%d checks: at least 60", allowed+refused)
	}
	for user, list := range users {
		t.Run(user, func(t *testing.T) {
			var d denials
			// A name for the inbox that is allowed to all would hide a denial.
			nc := s.connect(t, user, nats.ErrorHandler(d.note))
			for _, c := range list {
				switch c.do {
				case "pub":
					if err := nc.Publish(c.subject, []byte("{}")); err != nil {
						t.Fatal(err)
					}
				case "sub":
					sub, err := nc.Subscribe(c.subject, func(*nats.Msg) {})
					if err != nil {
						t.Fatal(err)
					}
					defer sub.Unsubscribe() //nolint:errcheck // a denied one is gone
				}
			}
			// The server answers in order: after the pong every denial has arrived,
			// and the handler is one goroutine behind it.
			if err := nc.Flush(); err != nil {
				t.Fatal(err)
			}
			settled := func() bool {
				for _, c := range list {
					if !c.allow && !d.has(kinds[c.do], c.subject) {
						return false
					}
				}
				return true
			}
			for end := time.Now().Add(time.Minute); !settled() && time.Now().Before(end); {
				time.Sleep(5 * time.Millisecond)
			}
			for _, c := range list {
				if got := !d.has(kinds[c.do], c.subject); got != c.allow {
					t.Errorf("%s %s %s: allowed %t, want %t", c.user, c.do, c.subject, got, c.allow)
				}
			}
		})
	}
}

var kinds = map[string]string{"pub": "publish", "sub": "subscription"}

// TestStrangers holds the door shut: no key, a key of nobody, no TLS.
func TestStrangers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if nc, err := nats.Connect(s.url(), nats.RootCAs(s.file("ca.pem"))); err == nil {
		nc.Close()
		t.Error("a client without a key got in")
	}
	other := newSite(t)
	key, err := nats.NkeyOptionFromSeed(other.file("gateway.nk"))
	if err != nil {
		t.Fatal(err)
	}
	if nc, err := nats.Connect(s.url(), key, nats.RootCAs(s.file("ca.pem"))); err == nil {
		nc.Close()
		t.Error("the key of another installation got in")
	}
	if nc, err := nats.Connect(s.url(), key, nats.RootCAs(other.file("ca.pem"))); err == nil {
		nc.Close()
		t.Error("the client trusted a foreign authority")
	}
	key, err = nats.NkeyOptionFromSeed(s.file("gateway.nk"))
	if err != nil {
		t.Fatal(err)
	}
	if nc, err := nats.Connect("nats://"+s.srv.Addr().String(), key); err == nil {
		nc.Close()
		t.Error("a client without the authority got in")
	}
}
