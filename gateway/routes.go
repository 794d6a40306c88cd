package gateway

import (
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/cors"
)

// access is who may use a route.
type access int

const (
	public access = iota
	user
	admin
)

// A route is one line of the API: how it is reached, who may, who answers, and
// what the documentation says about it.
type route struct {
	method, path string
	access       access
	handle       func(http.ResponseWriter, *http.Request) error
	doc          operation
}

// api is the table of everything below /api.
func (g *Gateway) api() []route {
	return []route{
		{"POST", "/api/video/generate", user, g.generate, docGenerate},
		{"GET", "/api/video/status/{task}", user, g.status, docStatus},
		{"GET", "/api/video/download/{task}", user, g.download, docDownload},
		{"HEAD", "/api/video/download/{task}", user, g.download, docDownload},

		{"POST", "/api/image/process", user, g.processImage, docImage},
		{"POST", "/api/image/analyze", user, g.analyzeImage, docAnalyze},
		{"POST", "/api/verify", user, g.verify, docVerify},
		{"POST", "/api/audio/prosody", user, g.changeProsody, docProsody},
		{"POST", "/api/audio/bgm", user, g.addMusic, docBGM},
		{"POST", "/api/voices/synthesize", user, g.synthesize, docSynthesize},
		{"POST", "/api/d-id/generate-video", user, g.generateAvatar, docAvatar},
		{"POST", "/api/d-id/hints/{token}", public, g.hint, docHint},

		{"POST", "/api/voice-clone/create", user, g.createProfile, docProfileCreate},
		{"POST", "/api/voice-clone/synthesize", user, g.synthesizeClone, docCloneSynthesize},
		{"GET", "/api/voice-clone/profiles", user, g.listProfiles, docProfiles},
		{"GET", "/api/voice-clone/profiles/{id}", user, g.getProfile, docProfile},
		{"PATCH", "/api/voice-clone/profiles/{id}", user, g.changeProfile, docProfileChange},
		{"DELETE", "/api/voice-clone/profiles/{id}", user, g.deleteProfile, docProfileDelete},
		{"GET", "/api/voice-clone/profiles/{id}/preview", user, g.previewProfile, docProfilePreview},

		{"GET", "/api/voices", user, g.listVoices, docVoices},
		{"GET", "/api/voices/{id}/preview", user, g.previewVoice, docVoicePreview},
		{"GET", "/api/dictionary", user, g.listWords, docWords},
		{"POST", "/api/dictionary", user, g.createWord, docWordCreate},
		{"GET", "/api/dictionary/{id}", user, g.getWord, docWord},
		{"PATCH", "/api/dictionary/{id}", user, g.changeWord, docWordChange},
		{"DELETE", "/api/dictionary/{id}", user, g.deleteWord, docWordDelete},
		{"GET", "/api/bgm", user, g.listMusic, docMusic},
		{"POST", "/api/bgm", user, g.uploadTrack, docTrackUpload},
		{"GET", "/api/bgm/{id}", user, g.getMusic, docTrack},
		{"DELETE", "/api/bgm/{id}", user, g.deleteTrack, docTrackDelete},
		{"GET", "/api/bgm/{id}/preview", user, g.previewMusic, docMusicPreview},
		{"GET", "/api/backgrounds", user, g.listBackgrounds, docBackgrounds},
		{"GET", "/api/backgrounds/{id}/preview", user, g.previewBackground, docBackgroundPreview},

		{"GET", "/api/tasks", user, g.listTasks, docTasks},
		{"POST", "/api/tasks/{task}/cancel", user, g.cancel, docCancel},
		{"POST", "/api/tasks/{task}/rerun", user, g.rerun, docRerun},
		{"DELETE", "/api/tasks/{task}", user, g.deleteTask, docErase},
		{"POST", "/api/tasks/{task}/links", user, g.makeLink, docLinkMake},
		{"GET", "/api/links/{task}/{artifact}", public, g.followLink, docLink},
		{"HEAD", "/api/links/{task}/{artifact}", public, g.followLink, docLink},
		{"GET", "/api/tasks/{task}/events", user, g.taskEvents, docTaskEvents},
		{"GET", "/api/events", user, g.ownEvents, docEvents},
		{"DELETE", "/api/subjects/{subject}", user, g.deleteSubject, docSubject},

		{"GET", "/api/webhooks", user, g.listWebhooks, docWebhooks},
		{"POST", "/api/webhooks", user, g.createWebhook, docWebhookCreate},
		{"GET", "/api/webhooks/{id}", user, g.getWebhook, docWebhook},
		{"DELETE", "/api/webhooks/{id}", user, g.deleteWebhook, docWebhookDelete},
		{"POST", "/api/webhooks/{id}/rotate", user, g.rotateWebhook, docWebhookRotate},
		{"GET", "/api/webhooks/{id}/deliveries", user, g.listDeliveries, docDeliveries},
		{"POST", "/api/webhooks/{id}/deliveries/{n}/redeliver", user, g.redeliver, docRedeliver},

		{"GET", "/api/session", user, g.session, docSession},
		{"POST", "/api/session", public, g.signIn, docSignIn},
		{"DELETE", "/api/session", public, g.signOut, docSignOut},

		{"GET", "/api/admin/stages", admin, g.adminStages, docStages},
		{"POST", "/api/admin/stages/{stage}/pause", admin, g.pauseStage, docPause},
		{"POST", "/api/admin/stages/{stage}/resume", admin, g.resumeStage, docResume},
		{"GET", "/api/admin/dead-letters", admin, g.listDead, docDeadLetters},
		{"GET", "/api/admin/dead-letters/{seq}", admin, g.showDead, docDeadLetter},
		{"POST", "/api/admin/dead-letters/{seq}/redrive", admin, g.redriveDead, docRedrive},
		{"DELETE", "/api/admin/dead-letters/{seq}", admin, g.discardDead, docDiscard},
		{"GET", "/api/admin/engines", admin, g.adminEngines, docEngines},
		{"GET", "/api/admin/workers", admin, g.adminWorkers, docWorkers},
		{"GET", "/api/admin/throughput", admin, g.adminThroughput, docThroughput},

		{"GET", "/health", public, g.health, docHealth},
		{"GET", "/livez", public, g.live, docLive},
		{"GET", "/readyz", public, g.ready, docReady},
		{"GET", "/openapi.json", public, g.openAPI, docOpenAPI},
		{"GET", "/asyncapi.json", public, g.asyncAPI, docAsyncAPI},
		{"GET", "/docs", public, g.docs, docDocs},
	}
}

// routes puts the table, the metrics and the web app behind one handler.
func (g *Gateway) routes() http.Handler {
	r := chi.NewRouter()
	r.Use(g.recover, secureHeaders)
	if len(g.conf.CORSOrigins) > 0 {
		r.Use(cors.Handler(cors.Options{
			AllowedOrigins: g.conf.CORSOrigins,
			AllowedMethods: []string{"GET", "HEAD", "POST", "PATCH", "DELETE"},
			AllowedHeaders: []string{"Accept", "Accept-Language", "Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID", "Prefer", "Range", "Traceparent"},
			ExposedHeaders: []string{"ETag", "Location", "Link", "Retry-After", "RateLimit", "RateLimit-Policy", "Idempotency-Replayed", "Content-Disposition", "Accept-Ranges", "Content-Range"},
			MaxAge:         600,
		}))
	}
	// The web app has every address that is not the API's. It is no route of its
	// own: a catch-all would hide that an address exists for another method.
	r.NotFound(func(w http.ResponseWriter, r *http.Request) {
		if (r.Method == http.MethodGet || r.Method == http.MethodHead) && !strings.HasPrefix(r.URL.Path, "/api/") {
			g.Web.ServeHTTP(w, r)
			return
		}
		g.fail(w, r, newProblem(codeNotFound, "There is nothing at this address."))
	})
	r.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		g.fail(w, r, newProblem(codeMethod, "This method is not possible here."))
	})
	for _, rt := range g.api() {
		r.Method(rt.method, rt.path, g.guard(rt))
	}
	r.Method(http.MethodGet, "/metrics", g.metricsHandler())
	return r
}

// guard stands before a handler: who is it, may they, not too often, not twice;
// and it answers the handler's error.
func (g *Gateway) guard(rt route) http.HandlerFunc {
	handle := rt.handle
	if rt.method == http.MethodPost && rt.access != public {
		handle = g.idempotent(handle)
	}
	return func(w http.ResponseWriter, r *http.Request) {
		if err := g.admit(w, r, rt); err != nil {
			g.fail(w, r, err)
			return
		}
		if err := handle(w, r); err != nil {
			g.fail(w, r, err)
		}
	}
}

// operates reports whether a role may use an operator's route: viewers look and
// change nothing.
func operates(role, method string) bool {
	return role == RoleAdmin || role == RoleViewer && method == http.MethodGet
}

func (g *Gateway) admit(w http.ResponseWriter, r *http.Request, rt route) error {
	info := infoOf(r.Context())
	if rt.access != public {
		id, err := g.identify(r)
		if err != nil {
			return err
		}
		info.who = id
	}
	if rt.access == public || info.who.cookie {
		// A browser sends cookies, and reaches this machine, for any page's sake.
		if err := g.sameOrigin.Check(r); err != nil {
			return newProblem(codeForbidden, "Requests from other sites are not taken.").because(err)
		}
	}
	if rt.access == admin && !operates(info.who.role, rt.method) {
		return newProblem(codeForbidden, "This is for operators.")
	}
	return g.limit(w, r, rt)
}
