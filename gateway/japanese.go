package gateway

import "strings"

// A phrase is what clients are told, in both languages; {} stands for a value,
// which comes in the same order in both and may be a phrase itself.
type phrase struct{ en, ja string }

// phrases translate the details of problems. A test finds those that are missing.
var phrases = []phrase{
	{"is missing", "必須です"},
	{"is missing; give text or audio", "text か audio のどちらかを指定してください"},
	{"is missing; give 1 to 5 recordings", "録音を 1〜5 個指定してください"},
	{"is given more than once", "複数回指定されています"},
	{"is empty", "空です"},
	{"is too long", "長すぎます"},
	{"is too large", "大きすぎます"},
	{"is for Japanese only", "日本語でのみ指定できます"},
	{"must be in kana", "かなで入力してください"},
	{"must not hold { } or |", "{ } | は使えません"},
	{"is in the past", "過去の日時です"},
	{"is larger than {} MB", "{} MB を超えています"},
	{"is not valid UTF-8 text", "正しい UTF-8 のテキストではありません"},
	{"is not from an earlier answer", "以前の応答に含まれていた値ではありません"},
	{"is not a file of this request", "このリクエストで受け付けるファイルではありません"},
	{"is not a field of this request", "このリクエストの項目ではありません"},
	{"has nothing that can be spoken", "読み上げられる文字がありません"},
	{"has control characters", "制御文字が含まれています"},
	{"has the wrong type", "型が正しくありません"},
	{"has more than {} characters", "{} 文字を超えています"},
	{"has {} characters; at most 1000 are allowed", "{} 文字あります（上限は 1000 文字です）"},
	{"has more than {} files", "ファイルは {} 個までです"},
	{"has more than 16 marks", "記号は 16 種類までです"},
	{"has a member that is too long or has control characters", "長すぎる値か制御文字が含まれています"},
	{"names a member twice or is nested too deeply", "同じ名前が重複しているか、入れ子が深すぎます"},
	{"must be one of {}", "次のいずれかを指定してください: {}"},
	{"must be among {}", "次の中から指定してください: {}"},
	{"must be a comma list of {}", "次の値をカンマ区切りで指定してください: {}"},
	{"must be from {} to {}", "{} から {} の範囲で指定してください"},
	{"must be a number from {} to {}", "{} から {} の数値で指定してください"},
	{"must be a number of seconds from {} to {}", "{} から {} の秒数で指定してください"},
	{"must be a number of pixels from {} to {}", "{} から {} のピクセル数で指定してください"},
	{"must be a time in the past such as {}", "過去の日時を {} の形式で指定してください"},
	{"must be a time such as {}", "{} の形式の日時で指定してください"},
	{"must be a language tag such as {} or {}", "{} や {} のような言語タグで指定してください"},
	{"must be a stage of the task: {}", "このタスクの工程を指定してください: {}"},
	{"must be the id of an event", "イベントの ID を指定してください"},
	{"must be original, blur, {} or the id of a background", "original、blur、{} または背景の ID を指定してください"},
	{"must be open, redriven, discarded or all", "open、redriven、discarded、all のいずれかを指定してください"},
	{"must be one value of 1 to 255 printable characters", "印字可能な 1〜255 文字の値を 1 つ指定してください"},
	{"must be true: you may use this music", "この音楽を利用する権利があることを true で確認してください"},
	{"must be true: you may use this face and voice", "この顔と声を利用する同意があることを true で確認してください"},
	{"must be true or a JSON object with {}", "true または次の項目を持つ JSON を指定してください: {}"},
	{"must be a JSON object with the members {}", "次の項目を持つ JSON を指定してください: {}"},
	{"wait must be 0 to 60 seconds", "wait は 0〜60 秒で指定してください"},
	{"give either text or audio, not both", "text と audio はどちらか一方だけを指定してください"},
	{"each pause is from {} to {} seconds", "間は {} から {} 秒の範囲で指定してください"},
	{"each mark is {}", "記号は次のいずれかです: {}"},
	{"a colour is # and six hexadecimal digits", "色は # と 6 桁の 16 進数で指定してください"},
	{"concerns the {} stage: run again from there", "{} 工程に関わる変更です。その工程からやり直してください"},
	{"there is no such voice", "指定された声はありません"},
	{"there is no such cloned voice", "指定された複製音声はありません"},
	{"there is no such music", "指定された音楽はありません"},
	{"there is no such stage or engine", "指定された工程またはエンジンはありません"},
	{"the person whose voice it is must have agreed", "声の本人の同意が必要です"},
	{"the consent for this voice was withdrawn or has run out", "この声の利用への同意は取り消されたか期限切れです"},

	{"The body must be multipart/form-data.", "本文は multipart/form-data で送信してください。"},
	{"The body must be application/json.", "本文は application/json で送信してください。"},
	{"The body is not valid UTF-8.", "本文が正しい UTF-8 ではありません。"},
	{"The body is not a proper JSON object.", "本文が正しい JSON ではありません。"},
	{"The body is malformed or has members that are not known.", "本文の形式が正しくないか、不明な項目があります。"},
	{"The form has too many fields.", "フォームの項目が多すぎます。"},
	{"There are too many changes.", "変更が多すぎます。"},
	{"The upload is incomplete or malformed.", "アップロードが途中で切れているか、形式が正しくありません。"},
	{"The request is larger than allowed.", "リクエストが大きすぎます。"},
	{"The picture must be a JPEG, PNG or WebP file. {}", "画像は JPEG、PNG、WebP のいずれかにしてください。"},
	{"The picture is larger than 10 MB.", "画像が 10 MB を超えています。"},
	{"The picture may have at most 12,000 pixels a side and 50 megapixels.", "画像は一辺 12,000 ピクセル、合計 5,000 万画素までです。"},
	{"The picture must have at least 64 pixels a side.", "画像は一辺 64 ピクセル以上必要です。"},
	{"The picture file is incomplete.", "画像ファイルが途中で切れています。"},
	{"The picture file is damaged.", "画像ファイルが壊れています。"},
	{"The sound must be a WAV, MP3, M4A, OGG or FLAC file.", "音声は WAV、MP3、M4A、OGG、FLAC のいずれかにしてください。"},
	{"The sound file is damaged or of an unusual kind.", "音声ファイルが壊れているか、対応していない形式です。"},
	{"The sound is longer than {} s.", "音声が {} 秒を超えています。"},

	{"Send the token as Authorization: Bearer TOKEN.", "トークンは Authorization: Bearer TOKEN で送信してください。"},
	{"Send a token as Authorization: Bearer TOKEN.", "Authorization: Bearer TOKEN でトークンを送信してください。"},
	{"Send one Authorization header.", "Authorization ヘッダーは 1 つだけ送信してください。"},
	{"The token is not valid or has expired.", "トークンが無効か、期限切れです。"},
	{"Without sign-in this service answers on this machine only.", "認証なしの場合、このサービスはこの端末からのみ利用できます。"},
	{"This service asks nobody to sign in.", "このサービスではサインインは不要です。"},
	{"Requests from other sites are not taken.", "他のサイトからのリクエストは受け付けません。"},
	{"This is for operators.", "管理者専用です。"},
	{"This method is not possible here.", "このメソッドは使えません。"},
	{"There is nothing at this address.", "このアドレスには何もありません。"},
	{"There is nothing with this id.", "この ID のものはありません。"},
	{"There is nothing with this number.", "この番号のものはありません。"},
	{"There is no such task.", "そのタスクはありません。"},
	{"There is no such music.", "その音楽はありません。"},
	{"There is no such voice.", "その声はありません。"},
	{"There is no such cloned voice.", "その複製音声はありません。"},
	{"There is no such word in your dictionary.", "その単語は辞書にありません。"},
	{"The word is in your dictionary already; change it there.", "その単語はすでに辞書にあります。登録済みの読みを変更してください。"},
	{"Your dictionary is full; delete a word first.", "辞書がいっぱいです。先に単語を削除してください。"},
	{"The dictionary is being changed elsewhere; try again.", "辞書が他の場所で変更されています。もう一度お試しください。"},
	{"The text of that task is no longer kept.", "タスクのテキストは保存期間を過ぎました。"},
	{"There is no such background.", "その背景はありません。"},
	{"There is no such webhook.", "その Webhook はありません。"},
	{"There is no such delivery.", "その配信はありません。"},
	{"There is no such stage.", "その工程はありません。"},
	{"There is no such dead letter.", "その失敗記録はありません。"},
	{"The task could not be accepted.", "タスクを受け付けられませんでした。"},
	{"The task was erased.", "タスクは削除されました。"},
	{"The task is no longer kept.", "タスクは保存期間を過ぎました。"},
	{"The task has no such artefact.", "タスクにその成果物はありません。"},
	{"The task has made no file.", "タスクはファイルを作成しませんでした。"},
	{"The task has already ended.", "タスクはすでに終了しています。"},
	{"The task does not visit this stage.", "タスクにこの工程はありません。"},
	{"The {} stage has not finished in that task.", "そのタスクでは {} 工程が終わっていません。"},
	{"The list of tasks is still being read.", "タスク一覧を読み込み中です。"},
	{"The file is not ready yet.", "ファイルはまだできていません。"},
	{"The file is no longer kept.", "ファイルは保存期間を過ぎました。"},
	{"The link has expired.", "リンクの有効期限が切れています。"},
	{"The link is not valid.", "リンクが正しくありません。"},
	{"The file is shorter than the range.", "指定された範囲はファイルの長さを超えています。"},
	{"The voice cannot speak at the moment.", "この声は現在利用できません。"},
	{"Voice cloning is not set up on this service.", "このサービスでは音声の複製は設定されていません。"},
	{"The engine {} cannot serve: it is not set up on this service", "エンジン {} はこのサービスでは設定されていません"},
	{"The engine {} cannot serve: {}", "エンジン {} は利用できません: {}"},
	{"You have 50 tracks; delete one first.", "曲は 50 曲までです。先に 1 曲削除してください。"},
	{"You have 20 webhooks; delete one first.", "Webhook は 20 件までです。先に 1 件削除してください。"},
	{"Try again in {} s.", "{} 秒後にもう一度お試しください。"},
	{"This Idempotency-Key was used for another request.", "この Idempotency-Key は別のリクエストで使われています。"},
	{"The first request with this Idempotency-Key is still running.", "この Idempotency-Key の最初のリクエストを処理中です。"},
	{"The erasure has begun and goes on by itself; ask again to see it done.", "削除を開始しました。自動的に続行されます。完了は再度ご確認ください。"},
	{"Not everything could be erased yet; ask again.", "まだすべてを削除できていません。もう一度お試しください。"},
	{"No worker has served this stage yet.", "この工程のワーカーはまだ動いていません。"},
	{"The broker cannot be reached.", "ブローカーに接続できません。"},
	{"Events cannot be followed at the moment.", "現在イベントを受信できません。"},
	{"The dead letter is {} already.", "この失敗記録はすでに処理済みです（{}）。"},
	{"Somebody else was faster.", "他の管理者が先に処理しました。"},
}

// inJapanese translates a detail; what has no translation stays as it is.
func inJapanese(detail string) string {
	for _, list := range [][]phrase{phrases, told} {
		for _, p := range list {
			if values, ok := p.match(detail); ok {
				out := p.ja
				for _, v := range values {
					out = strings.Replace(out, "{}", inJapanese(v), 1)
				}
				return out
			}
		}
	}
	// "field: what is wrong with it"
	if field, rest, ok := strings.Cut(detail, ": "); ok && !strings.ContainsAny(field, " ") {
		return field + ": " + inJapanese(rest)
	}
	return detail
}

// match reports whether s is p with values in the places of {}.
func (p phrase) match(s string) (values []string, ok bool) {
	parts := strings.Split(p.en, "{}")
	s, ok = strings.CutPrefix(s, parts[0])
	if !ok {
		return nil, false
	}
	for i, part := range parts[1:] {
		at := len(s)
		if part != "" {
			at = strings.Index(s, part)
		}
		if i == len(parts)-2 { // the last value takes all there is
			if !strings.HasSuffix(s, part) {
				return nil, false
			}
			at = len(s) - len(part)
		}
		if at < 0 {
			return nil, false
		}
		values = append(values, s[:at])
		s = s[at+len(part):]
	}
	return values, s == ""
}
