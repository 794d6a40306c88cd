package gateway

import (
	"slices"

	"github.com/videomsg/videomsg/events"
)

// An operation documents a route. The OpenAPI document and the page at /docs are
// made of these; tests hold real traffic against them.
type operation struct {
	id, tag, summary string
	query, header    []param
	form             []field // of a multipart body
	body             any     // value of the type of a JSON body
	ok               int     // status of success
	answer           any     // value of the type of its JSON body; nil: none
	media            string  // of an answer that is not JSON
	also             []int   // further statuses without a problem
	problems         []int
}

// A param is a query parameter or a header.
type param struct{ name, kind, about string }

// A field is a part of a form.
type field struct {
	name     string
	kind     string // string, number, integer, boolean, file, json
	required bool
	about    string
}

var (
	waitHeader   = param{"Prefer", "string", "wait=N answers 200 when the task ends within N seconds (0 to 60)"}
	keyHeader    = param{"Idempotency-Key", "string", "1 to 255 printable characters; the same request again gets the stored answer for 24 hours"}
	etagHeader   = param{"If-None-Match", "string", "an ETag; 304 when nothing has changed"}
	cursorParams = []param{
		{"limit", "integer", "1 to 100"},
		{"cursor", "string", "next of the answer before"},
	}
	resumeParams = []param{{"after", "integer", "sequence number of the last event seen"}}
	sampleParams = []param{{"text", "string", "at most 100 characters; default a sentence of its own"}}
)

var commonFields = []field{
	{"require", "string", false, "comma list such as video=d-id,voice=voicevox: fail rather than fall back"},
	{"fresh", "boolean", false, "true bypasses the stage cache"},
	{"priority", "string", false, "high, normal (the default) or bulk: bulk work is overtaken by all other"},
	{"consent", "boolean", false, "true: you may use this face and voice; required in production"},
	{"subject", "string", false, "at most 200 characters; groups what belongs to one person"},
	{"user_data", "string", false, "at most 1000 characters, echoed"},
	{"async", "boolean", false, "false answers 200 when the task ends within 60 s"},
}

var imageFields = []field{
	{"background", "string", false, "original, transparent (image alone), blur, #rrggbb or an id of GET /api/backgrounds"},
	{"background_image", "file", false, "own background: JPEG, PNG or WebP"},
	{"aspect", "string", false, "1:1, 9:16, 16:9 or source"},
	{"face", "integer", false, "1 for the most prominent face, …"},
}

var bgmFields = []field{
	{"bgm_type", "string", false, "none, or an id of GET /api/bgm"},
	{"bgm_volume", "number", false, "0 (silent) to 1, default 0.3"},
	{"bgm_duck", "boolean", false, "the music gives way to the voice"},
	{"bgm_lead_in", "number", false, "seconds of music alone before the speech, 0 to 5, default 1"},
	{"bgm_tail", "number", false, "seconds of music after the speech, 0 to 5, default 1, at least the fade"},
	{"bgm_fade_out", "number", false, "seconds over which the music ends, 0 to 10, default 2"},
	{"accessible", "boolean", false, "the speech is at least 20 LU above the music"},
}

var portraitField = field{"image", "file", true, "the portrait: JPEG, PNG or WebP, at most 10 MB, 64 pixels to 50 megapixels"}

var soundField = field{"audio", "file", true, "WAV, MP3, M4A, OGG or FLAC, at most 50 MB and 300 s"}

func optional(f field, about string) field {
	f.required, f.about = false, about+f.about
	return f
}

func together(lists ...[]field) []field {
	var out []field
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}

// accepting is an operation that makes a task of a form.
func accepting(id, summary string, form ...field) operation {
	return operation{
		id: id, tag: "Make", summary: summary, form: together(form, commonFields), header: []param{waitHeader, keyHeader},
		ok: 202, answer: accepted{}, also: []int{200}, problems: []int{400, 401, 403, 409, 413, 415, 422, 429, 503},
	}
}

// reading is an operation that answers JSON and changes nothing.
func reading(id, tag, summary string, answer any, query ...param) operation {
	return operation{
		id: id, tag: tag, summary: summary, query: query, header: []param{etagHeader},
		ok: 200, answer: answer, also: []int{304}, problems: []int{400, 401, 403, 404, 422, 503},
	}
}

// changing is an operation with a status and perhaps an answer.
func changing(id, tag, summary string, ok int, answer any) operation {
	return operation{id: id, tag: tag, summary: summary, ok: ok, answer: answer, problems: []int{400, 401, 403, 404, 409, 410, 415, 422, 429, 503}}
}

func (o operation) withBody(v any) operation {
	o.body, o.header = v, append(o.header, keyHeader)
	return o
}

func (o operation) giving(media string) operation {
	o.answer, o.media = nil, media
	return o
}

// limited says that the operation counts against a limit although it only reads.
func (o operation) limited() operation {
	o.problems = append(slices.Clone(o.problems), 429)
	return o
}

var (
	docGenerate = accepting("generateVideo", "Make a video of a portrait and a text, or own speech", together(
		[]field{
			portraitField,
			{"text", "string", false, "1 to 1000 characters; {漢字|よみ} sets a reading; exactly one of text and audio"},
			optional(soundField, "own speech instead of text: "),
			{"language", "string", false, "BCP 47, default ja"},
			{"voice", "string", false, "an id of GET /api/voices"},
			{"voice_profile", "string", false, "an id of GET /api/voice-clone/profiles"},
			{"prosody_params", "json", false, "pitch_shift −12..12, time_stretch 0.5..2, energy_boost 0.5..1.5, emotion, intensity 0..1, pauses"},
			{"captions", "string", false, "none, file or burn"},
			{"title_to", "string", false, "at most 40 characters; for whom, on a title card before the message"},
			{"title_from", "string", false, "at most 40 characters; from whom, on the same card"},
			{"style", "string", false, "talking, card, kenburns or static"},
			{"motion", "number", false, "0 (still head) to 1"},
			{"mouth", "string", false, "auto, closed or smile: how the mouth in the picture is"},
			{"label", "string", false, "where the label AI生成 stands: top-left, top-right, bottom-left, bottom-right, or off"},
		}, bgmFields, imageFields)...)
	docStatus = operation{
		id: "taskStatus", tag: "Follow", summary: "The state of a task of any kind", ok: 200, answer: view{}, also: []int{304},
		query: []param{{"wait", "number", "answers when something changes, after 0 to 60 seconds at the latest"}}, header: []param{etagHeader},
		problems: []int{401, 404, 410, 422, 503},
	}
	docDownload = operation{
		id: "download", tag: "Follow", summary: "The finished file, or another artefact", ok: 200, media: "*/*", also: []int{206, 302, 304},
		query:  []param{{"artifact", "string", "name of the artefact; default what the task is for"}},
		header: []param{{"Range", "string", "bytes=…"}, {"If-Range", "string", "an ETag"}, etagHeader}, problems: []int{401, 404, 409, 410, 416, 503},
	}
	docImage = accepting("processImage", "Prepare a portrait: the image stage alone", together(
		[]field{portraitField, {"steps", "string", false, "comma list of background_removal, sam2_refinement, crop, background, enhance"}}, imageFields)...)
	docAnalyze = operation{
		id: "analyzeImage", tag: "Make", summary: "Look at a portrait before anything is made of it; nothing is kept", ok: 200, answer: Analysis{},
		form:     []field{portraitField, {"face", "integer", false, "the face the crops are about; default 1"}},
		problems: []int{400, 401, 403, 413, 415, 422, 429},
	}
	docVerify = operation{
		id: "verifyVideo", tag: "Make", summary: "Check the signed provenance record inside a video; nothing is kept", ok: 200, answer: Verification{},
		form:     []field{{"video", "file", true, "a video made by this service, at most 512 MiB"}},
		problems: []int{400, 401, 403, 413, 415, 422, 429},
	}
	docProsody = accepting("changeProsody", "Change pitch, speed and emotion of speech: the prosody stage alone",
		soundField, field{"prosody_params", "json", false, "as in POST /api/video/generate"},
		field{"pitch_shift", "number", false, "semitones, −12 to 12"}, field{"time_stretch", "number", false, "rate, 0.5 to 2, more is faster"},
		field{"energy_boost", "number", false, "gain, 0.5 to 1.5"}, field{"intensity", "number", false, "of the emotion, 0 to 1"},
		field{"emotion", "string", false, "neutral, happy, sad, angry, excited, calm, celebration, encouraging or grateful"})
	docBGM    = accepting("addMusic", "Lay music under speech: the bgm stage alone", append([]field{soundField}, bgmFields...)...)
	docAvatar = accepting("generateAvatar", "Portrait and speech through D-ID, or nothing", portraitField, soundField,
		field{"aspect", "string", false, "1:1, 9:16, 16:9 or source"}, field{"face", "integer", false, "1 for the most prominent face, …"})
	docHint = operation{
		id: "hint", tag: "Operation", summary: "D-ID says that a video is ready. What it sends is not read: the worker that waits asks D-ID itself", ok: 204,
		problems: []int{403, 404, 429, 503},
	}
	docSynthesize = operation{
		id: "synthesize", tag: "Make", summary: "Speak a text: the voice stage alone. With Accept: audio/wav and Prefer: wait the sound itself",
		body: speakRequest{}, header: []param{waitHeader, keyHeader}, ok: 202, answer: accepted{}, also: []int{200},
		problems: []int{400, 401, 403, 409, 413, 415, 422, 429, 503},
	}
	docCloneSynthesize = func() operation {
		o := docSynthesize
		o.id, o.summary = "synthesizeClone", "Speak a text with a cloned voice"
		return o
	}()

	docProfileCreate = operation{
		id: "createProfile", tag: "Voices", summary: "Clone a voice from 1 to 5 recordings", header: []param{keyHeader},
		form: []field{
			{"name", "string", true, "at most 100 characters"},
			{"language", "string", false, "BCP 47, default ja"},
			{"audio_samples", "file", true, "1 to 5 recordings of at most 10 MB and 1 to 60 s; an engine may need 3"},
			{"consent", "json", true, "true for one's own voice, or {speaker, basis: self|permission|guardian|licence, statement, scope, expires}"},
			{"subject", "string", false, "whose voice it is, for DELETE /api/subjects"},
			{"description", "string", false, "not kept"},
		}, ok: 201, answer: Profile{}, problems: []int{400, 401, 403, 409, 413, 415, 422, 429, 503},
	}
	docProfiles       = reading("profiles", "Voices", "Own cloned voices", list[Profile]{})
	docProfile        = reading("profile", "Voices", "One cloned voice", Profile{})
	docProfileChange  = changing("changeProfile", "Voices", "Rename a cloned voice, or withdraw its consent", 200, Profile{}).withBody(ProfileChange{})
	docProfileDelete  = changing("deleteProfile", "Voices", "Erase a cloned voice, its recordings and the copy at the engine", 204, nil)
	docProfilePreview = reading("previewProfile", "Voices", "How a cloned voice sounds", nil, sampleParams...).giving("audio/wav").limited()

	docWords      = reading("words", "Voices", "Own dictionary: how words are read", list[Word]{}, param{"language", "string", "only words of a language"})
	docWord       = reading("word", "Voices", "One word of the dictionary", Word{})
	docWordCreate = changing("createWord", "Voices", "Say how a word is read, in every message from now on. reading is in kana for Japanese; accent is the mora after which the pitch falls, 0 for never (voicevox and openjtalk follow it, the others pass over it); subject is whom the word belongs to, for DELETE /api/subjects", 201, Word{}).withBody(newWord{})
	docWordChange = changing("changeWord", "Voices", "Another reading; without accent the engine decides it again", 200, Word{}).withBody(wordChange{})
	docWordDelete = changing("deleteWord", "Voices", "Delete a word from the dictionary", 204, nil)

	docVoices            = reading("voices", "Catalogues", "Voices that can speak now", list[Voice]{}, param{"language", "string", "only voices of a language"})
	docVoicePreview      = reading("previewVoice", "Catalogues", "How a voice sounds", nil, sampleParams...).giving("audio/wav").limited()
	docMusic             = reading("music", "Catalogues", "Music: generated styles and own tracks", list[Music]{})
	docTrack             = reading("track", "Catalogues", "One piece of music", Music{})
	docMusicPreview      = reading("previewMusic", "Catalogues", "How music sounds", nil).giving("audio/*")
	docBackgrounds       = reading("backgrounds", "Catalogues", "Backgrounds", list[Background]{})
	docBackgroundPreview = reading("previewBackground", "Catalogues", "What a background looks like", nil, param{"width", "integer", "16 to 1080"}, param{"height", "integer", "16 to 1080"}).giving("image/png")
	docTrackUpload       = operation{
		id: "uploadTrack", tag: "Catalogues", summary: "Keep own music", header: []param{keyHeader},
		form: []field{
			soundField,
			{"name", "string", true, "at most 100 characters"},
			{"rights", "boolean", true, "true: you may use this music"},
			{"credit", "string", true, "attribution: who made it, at most 200 characters; shown with results"},
			{"licence", "string", true, "on what terms, at most 100 characters: an SPDX identifier such as CC-BY-4.0, or words"},
		}, ok: 201, answer: Music{}, problems: []int{400, 401, 403, 409, 413, 415, 422, 429, 503},
	}
	docTrackDelete = changing("deleteTrack", "Catalogues", "Delete own music", 204, nil)

	docTasks = reading("tasks", "Follow", "Own tasks, newest first; Link: rel=next leads on", taskList{}, append(cursorParams,
		param{"state", "string", "comma list of states"}, param{"since", "string", "RFC 3339 time"})...)
	docCancel   = changing("cancelTask", "Follow", "Stop a task; again is harmless", 202, view{})
	docRerun    = changing("rerunTask", "Make", "A new task that takes over what stages before one have made", 202, accepted{}).withBody(rerunRequest{})
	docErase    = changing("eraseTask", "Follow", "Erase a task: its files, events and outside copies", 204, nil)
	docLinkMake = changing("makeLink", "Follow", "A link to a file of the task that works without a token until it expires", 201, link{}).withBody(linkRequest{})
	docLink     = operation{
		id: "followLink", tag: "Follow", summary: "A file by a link of POST /api/tasks/{task}/links", ok: 200, media: "*/*", also: []int{206, 302, 304},
		query:  []param{{"expires", "integer", "as in the link"}, {"signature", "string", "as in the link"}},
		header: docDownload.header, problems: []int{403, 404, 409, 410, 416, 503},
	}
	docTaskEvents = operation{
		id: "taskEvents", tag: "Follow", summary: "The task's events as they happen (text/event-stream), or those recorded so far (application/json)",
		query: resumeParams, header: []param{{"Last-Event-ID", "integer", "as after"}, {"Accept", "string", "text/event-stream or application/json"}},
		ok: 200, answer: timeline{}, also: []int{204}, problems: []int{401, 404, 410, 422, 503},
	}
	docEvents = operation{
		id: "events", tag: "Follow", summary: "Events of all own tasks as they happen", query: resumeParams,
		header: []param{{"Last-Event-ID", "integer", "as after"}}, ok: 200, media: "text/event-stream", problems: []int{401, 422, 503},
	}
	docSubject = changing("eraseSubject", "Follow", "Erase everything that belongs to one person", 204, nil)

	docWebhooks      = reading("webhooks", "Webhooks", "Own webhooks", list[Webhook]{})
	docWebhook       = reading("webhook", "Webhooks", "One webhook", Webhook{})
	docWebhookCreate = changing("createWebhook", "Webhooks", "Be told when tasks end; the answer has the signing secret, once", 201, Webhook{}).withBody(webhookRequest{})
	docWebhookDelete = changing("deleteWebhook", "Webhooks", "Delete a webhook", 204, nil)
	docWebhookRotate = changing("rotateWebhook", "Webhooks", "Another secret; the old one signs as well for a day. Enables a disabled webhook", 200, Webhook{})
	docDeliveries    = reading("deliveries", "Webhooks", "The newest 100 deliveries with their attempts", list[Delivery]{})
	docRedeliver     = changing("redeliver", "Webhooks", "Deliver once more, now", 202, nil)

	docSession = reading("session", "Session", "Who is signed in", Session{})
	docSignIn  = changing("signIn", "Session", "A token becomes a session cookie", 200, Session{}).withBody(sessionRequest{})
	docSignOut = changing("signOut", "Session", "End the session", 204, nil)

	docStages      = reading("stages", "Operation", "How the stages are doing", list[StageState]{})
	docPause       = changing("pauseStage", "Operation", "Let no worker take requests of a stage, for 7 days at most", 200, StageState{})
	docResume      = changing("resumeStage", "Operation", "End a pause", 200, StageState{})
	docDeadLetters = reading("deadLetters", "Operation", "Stages that gave up, newest first", deadLetters{}, append(cursorParams,
		param{"state", "string", "open (default), redriven, discarded or all"})...)
	docDeadLetter = reading("deadLetter", "Operation", "One of them", DeadLetter{})
	docRedrive    = changing("redrive", "Operation", "A new task that begins where the old one failed", 202, DeadLetter{})
	docDiscard    = changing("discard", "Operation", "Put a dead letter aside", 204, nil)
	docEngines    = reading("engines", "Operation", "Every engine, in the order of each chain", list[EngineState]{})
	docWorkers    = reading("workers", "Operation", "Who works for which stage, and on what", list[events.Worker]{})
	docThroughput = reading("throughput", "Operation", "What was done in each minute, for all owners, from the recorded events", throughput{},
		param{"since", "string", "RFC 3339 time of the first minute; default 59 minutes ago"}, param{"limit", "integer", "1 to 60 minutes"})

	docHealth   = operation{id: "health", tag: "Operation", summary: "Everything the service stands on; looked at every few seconds", ok: 200, answer: Health{}, also: []int{503}}
	docLive     = operation{id: "livez", tag: "Operation", summary: "The process lives", ok: 204}
	docReady    = operation{id: "readyz", tag: "Operation", summary: "Tasks can be taken", ok: 204, problems: []int{503}}
	docOpenAPI  = reading("openapi", "Operation", "This document", map[string]any{})
	docAsyncAPI = reading("asyncapi", "Operation", "The events, as AsyncAPI 3.0", map[string]any{})
	docDocs     = operation{id: "docs", tag: "Operation", summary: "This document for people", ok: 200, media: "text/html", also: []int{304}}
)

// timeline is the recorded history of a task.
type timeline struct {
	TaskID string   `json:"task_id"`
	Events []record `json:"events"`
}
