package sdks_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"strings"

	"github.com/openai/openai-go/v3"
)

func openAISpeech(a *attempt) error {
	c := openAIClient(a)
	res, err := c.Audio.Speech.New(context.Background(), openai.AudioSpeechNewParams{Model: openai.SpeechModelTTS1, Input: a.Case,
		Voice: openai.AudioSpeechNewParamsVoiceUnion{OfString: openai.String("alloy")}})
	if err != nil {
		return err
	}
	defer res.Body.Close()
	heard, err := io.ReadAll(res.Body)
	return first(err, want("the type", res.Header.Get("Content-Type"), "audio/mpeg"), want("its head is there", bytes.HasPrefix(heard, []byte("ID3")), true),
		want("it is whole", strings.HasSuffix(string(heard), said), true))
}

func openAITranscription(a *attempt) error {
	sound, err := base64.StdEncoding.DecodeString(a.Sound)
	if err != nil {
		return err
	}
	c := openAIClient(a)
	got, err := c.Audio.Transcriptions.New(context.Background(), openai.AudioTranscriptionNewParams{Model: openai.AudioModelWhisper1, Prompt: openai.String(a.Case),
		File: openai.File(bytes.NewReader(sound), "name-of-a-file.wav", "audio/wav")})
	if err != nil {
		return err
	}
	return want("the text", got.Text, said)
}
