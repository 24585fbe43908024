// Package cases is what all oracles share: the questions on standard input, the answers on standard output, and a registry on
// loopback that lists the tags of the question at hand.
package cases

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// A Case is one line of standard input. Tags are in the order in which the registry lists them, spelled as it spells them.
type Case struct {
	Range string   `json:"range"`
	Tags  []string `json:"tags"`
}

// An Answer is one line of standard output, in the order of the cases: a tag, or why there is none.
type Answer struct {
	Tag string `json:"tag,omitempty"`
	// Error is one of Invalid (the client says that the range cannot be read), Unmatched (it can, and no tag is good for it), BadTag (the
	// client gave up on a listed tag) and Unaskable (the client chose a version but then asks for a tag that no registry can hold).
	Error string `json:"error,omitempty"`
	// Detail is what the client said.
	Detail string `json:"detail,omitempty"`
}

const (
	Invalid   = "invalid"
	Unmatched = "unmatched"
	BadTag    = "bad tag"
	Unaskable = "unaskable"
)

// Refuse is the answer of a client that found nothing.
func Refuse(kind string, err error) Answer { return Answer{Error: kind, Detail: err.Error()} }

// AnswerAll reads cases until the input ends. A case that an oracle cannot answer ends the program with status 1.
func AnswerAll(answer func(Case) (Answer, error)) {
	if err := answerAll(os.Stdin, os.Stdout, answer); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func answerAll(input io.Reader, output io.Writer, answer func(Case) (Answer, error)) error {
	decoder := json.NewDecoder(bufio.NewReaderSize(input, 1<<20))
	writer := bufio.NewWriter(output)
	encoder := json.NewEncoder(writer)
	for {
		var question Case
		err := decoder.Decode(&question)
		if err == io.EOF {
			return writer.Flush()
		}
		if err != nil {
			return err
		}
		given, err := answer(question)
		if err != nil {
			return fmt.Errorf("range %q over %q: %w", question.Range, question.Tags, err)
		}
		if err := encoder.Encode(given); err != nil {
			return err
		}
	}
}
