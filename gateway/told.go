package gateway

import "slices"

// told translates what stages and engines tell the owner of a task: why a stage
// failed, why an engine did not serve, and what else is to be known. A test reads
// their source for what is missing.
var told = []phrase{
	// Why a stage failed.
	{"The {} stage failed.", "{} 工程が失敗しました。"},
	{"The {} stage took too long.", "{} 工程が時間内に終わりませんでした。"},
	{"The {} stage was interrupted too often.", "{} 工程が何度も中断されました。"},
	{"The {} stage cannot use what was given.", "{} 工程では渡されたデータを利用できません。"},
	{"The {} stage is not available before the task must be finished.", "タスクの期限までに {} 工程を利用できません。"},
	{"No engine of the {} stage is available. {}.", "{} 工程で利用できるエンジンがありません。{}。"},
	{"No engine of the {} stage is available.", "{} 工程で利用できるエンジンがありません。"},
	{"Something that was made or uploaded for this task is missing.", "このタスクで作成またはアップロードされたデータが見つかりません。"},
	{"Something that was made or uploaded for this task is no longer kept.", "このタスクで作成またはアップロードされたデータは保存期間を過ぎました。"},
	{"Something that was made or uploaded for this task is too large.", "このタスクで作成またはアップロードされたデータが大きすぎます。"},
	{"Something that was made for this task is damaged. Please make it again.", "このタスクで作成されたデータが壊れています。もう一度作成してください。"},
	{"The request to this stage was damaged.", "この工程への依頼が壊れていました。"},
	{"The task was not finished in time.", "タスクが期限までに終わりませんでした。"},
	{"The task failed.", "タスクが失敗しました。"},
	{"The aspect is not known.", "縦横比が正しくありません。"},
	{"The background is not known.", "背景の指定が正しくありません。"},
	{"The picture has no face number {}.", "画像に {} 番目の顔がありません。"},
	{"The picture is of a kind that is not supported.", "対応していない画像形式です。"},
	{"The picture's size is not supported.", "対応していない画像サイズです。"},
	{"The picture is damaged.", "画像が壊れています。"},
	{"The picture cannot be read.", "画像を読み込めません。"},
	{"A prosody parameter is out of range.", "韻律の値が範囲外です。"},
	{"There is no valid consent for this cloned voice.", "この複製音声の利用に有効な同意がありません。"},
	{"The text has nothing that can be spoken.", "読み上げられる文字がありません。"},
	{"The uploaded sound cannot be used: it is damaged, silent, too long, or of a kind that is not supported.", "アップロードされた音声を利用できません（破損、無音、長すぎる、または対応していない形式です）。"},

	// Why an engine did not serve.
	{"paused after repeated failures", "失敗が続いたため休止中です"},
	{"did not answer in time", "時間内に応答しませんでした"},
	{"unavailable", "利用できません"},
	{"could not be reached", "接続できませんでした"},
	{"refused the input", "入力を受け付けませんでした"},
	{"failed", "失敗しました"},
	{"{} is not installed: {}", "{} がインストールされていません: {}"},
	{"the music is silent or too short", "音楽が無音か、短すぎます"},
	{"the sound could not be changed", "音声を加工できませんでした"},
	{"no face that can be animated was found", "動かせる顔が見つかりませんでした"},
	{"no face was found to start from", "手がかりとなる顔が見つかりませんでした"},
	{"the cut-out is not certain enough", "切り抜きの確実さが足りません"},
	{"the speech is longer than five minutes", "音声が 5 分を超えています"},
	{"a video may have been ordered already and cannot be found; it is not ordered twice", "すでに注文済みの可能性がある動画が見つからないため、二重には注文しません"},
	{"its video could not be downloaded", "生成された動画をダウンロードできませんでした"},
	{"it did not finish in time", "時間内に終わりませんでした"},
	{"it does not accept the key", "キーが受け付けられません"},
	{"its credits are used up", "クレジットを使い切りました"},
	{"the account may not do this", "このアカウントでは許可されていません"},
	{"it is too busy", "混雑しています"},
	{"its queue is full", "待ち行列がいっぱいです"},
	{"it refused the content", "内容が拒否されました"},
	{"it refused the picture: a well-known person was recognised", "著名人と認識されたため、画像が拒否されました"},
	{"it refused the picture", "画像が拒否されました"},
	{"it refused the text", "テキストが拒否されました"},
	{"it refused what is said", "話す内容が拒否されました"},
	{"it found no usable face", "利用できる顔が見つかりませんでした"},
	{"the picture has a resolution it does not take", "対応していない解像度の画像です"},
	{"a file is too large for it", "ファイルが大きすぎます"},
	{"the picture is too large for it", "画像が大きすぎます"},
	{"the speech is too long for it", "音声が長すぎます"},
	{"it cannot be reached", "接続できません"},
	{"it lost the job twice", "処理が 2 回失われました"},
	{"it could not animate this portrait", "この画像を動かせませんでした"},
	{"it cannot use the picture or the speech", "この画像または音声を利用できません"},
	{"the encoder stopped responding", "エンコーダーが応答しなくなりました"},
	{"the finished video was not as it should be", "完成した動画に問題がありました"},
	{"the video could not be encoded", "動画をエンコードできませんでした"},
	{"there was no room on the disk for the video", "動画を書き込むディスクの空きがありませんでした"},

	// What else is to be known.
	{"The voice is used as it is.", "音声をそのまま使いました。"},
	{"No music was asked for.", "音楽は指定されていません。"},
	{"Music could not be added; the voice is alone.", "音楽を追加できなかったため、音声のみです。"},
	{"The sound is a WAV file: there is no MP3 encoder on this service.", "このサービスに MP3 エンコーダーがないため、WAV ファイルです。"},
	{"A video cannot be transparent: the default background is used.", "動画は透過にできないため、既定の背景を使いました。"},
	{"The picture came without a background: the default one is used.", "画像に背景がないため、既定の背景を使いました。"},
	{"The original background was kept.", "元の背景をそのまま使いました。"},
	{"No change of prosody was asked for.", "韻律の変更は指定されていません。"},
	{"The voice itself spoke as it was asked for.", "指定どおりの話し方で音声が合成されました。"},
	{"The speech could not be changed and is used as it is.", "音声を加工できなかったため、そのまま使いました。"},
	{"The recording has no voiced sound, so its pitch was kept.", "録音に有声音がないため、音の高さは変えていません。"},
	{"The WebM version could not be made.", "WebM 版を作成できませんでした。"},
	{"The captions are not in the picture; they are a file of their own.", "字幕は映像に焼き込まず、別ファイルにしました。"},
	{"The captions are not in the picture but beside it: {}.", "字幕は映像に焼き込まず、別ファイルにしました: {}。"},
	{"There are no captions: what is said is not known as text.", "話している内容のテキストがないため、字幕はありません。"},
	{"The title card is left out: {}.", "タイトルカードを省きました: {}。"},
	{"The mouth follows the loudness of the voice: no phoneme times were available.", "音素の時刻がないため、口の動きは音量に合わせました。"},
	{"The {} style was used: {}.", "{} スタイルを使いました: {}。"},
	{"no face was found in the picture", "画像に顔が見つかりません"},
	{"the face is too small", "顔が小さすぎます"},
	{"the face is turned too far to the side", "顔が横を向きすぎています"},
	{"the face is too dark", "顔が暗すぎます"},
	{"the face is blurred", "顔がぼやけています"},
	{"it is not certain that this is a face", "顔かどうか確実ではありません"},
	{"there are several faces", "顔が複数あります"},
	{"the face is cut off by the edge of the picture", "顔が画像の端で切れています"},
	{"the face is overexposed", "顔が明るすぎます"},
	{"Done by the voice itself: {}.", "音声合成で行った変更: {}。"},
	{"Done afterwards: {}.", "後処理で行った変更: {}。"},
	{"The voice {} was not used.", "声 {} は使われませんでした。"},
	{"This voice cannot say {}.", "この声では {} を読めません。"},
	{"Web addresses are not read aloud.", "URL は読み上げられません。"},
	{"Mail addresses are not read aloud.", "メールアドレスは読み上げられません。"},
	{"Control characters were left out.", "制御文字を除きました。"},
	{"Damaged characters were left out.", "壊れた文字を除きました。"},
	{"Some symbols are not read aloud.", "読み上げられない記号があります。"},
	{"The cloned voice was not used: {}. Another voice speaks instead.", "複製音声は使われず、別の声が話しています: {}。"},
	{"VOICEVOX changes the pitch by at most 1.8 semitones.", "VOICEVOX で変えられる音の高さは 1.8 半音までです。"},
	{"The makeshift voice espeak-ng reads Japanese from kana; install the voice of Open JTalk for natural speech.", "簡易音声 espeak-ng がかなで読み上げています。自然な音声には Open JTalk の音声をインストールしてください。"},
}

// translated is v in the words of the client's language.
func (v view) translated(ja bool) view {
	if !ja {
		return v
	}
	if v.Error != nil {
		e := *v.Error
		e.Detail = inJapanese(e.Detail)
		v.Error = &e
	}
	v.Stages = slices.Clone(v.Stages)
	for i := range v.Stages {
		s := &v.Stages[i]
		s.Remarks, s.FallbackFrom = slices.Clone(s.Remarks), slices.Clone(s.FallbackFrom)
		for k := range s.Remarks {
			s.Remarks[k] = inJapanese(s.Remarks[k])
		}
		for k := range s.FallbackFrom {
			s.FallbackFrom[k].Reason = inJapanese(s.FallbackFrom[k].Reason)
		}
	}
	return v
}
