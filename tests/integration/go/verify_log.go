// Command verify_log checks a log with code that is not ours: golang.org/x/mod/sumdb/note and tlog.
//
//	verify_log FOLDER < requests > answers
//
// FOLDER holds the log as it is served: "vkey", "checkpoint", and the tiles of C2SP tlog-tiles.
// A request is one line of JSON. Its answer is one line of JSON: {"error": "..."}, empty if all is
// well, and what the request asks to make.
package main

import (
	"bufio"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const tileHeight = 8

type request struct {
	Do      string      `json:"do"`
	Name    string      `json:"name"`
	Text    string      `json:"text"`
	Vkey    string      `json:"vkey"`
	Public  []byte      `json:"public"`
	Index   int64       `json:"index"`
	OldSize int64       `json:"old_size"`
	Size    int64       `json:"size"`
	OldRoot tlog.Hash   `json:"old_root"`
	Root    tlog.Hash   `json:"root"`
	Entry   []byte      `json:"entry"`
	Proof   []tlog.Hash `json:"proof"`
}

type answer struct {
	Error string      `json:"error"`
	Proof []tlog.Hash `json:"proof,omitempty"`
	Text  string      `json:"text,omitempty"`
	Vkey  string      `json:"vkey,omitempty"`
	Size  int64       `json:"size,omitempty"`
}

// A served log, read from its folder. Everything in it is checked against the signed root.
type served struct{ folder string }

func (s served) Height() int { return tileHeight }

func (s served) SaveTiles([]tlog.Tile, [][]byte) {}

func (s served) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(tiles))
	for i, tile := range tiles {
		// Go writes the height into the path; C2SP fixed it to 8 and left it out.
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		data, err := os.ReadFile(filepath.Join(s.folder, path))
		if err != nil {
			return nil, err
		}
		found[i] = data
	}
	return found, nil
}

func (s served) checkpoint() (tlog.Tree, string, error) {
	vkey, err := os.ReadFile(filepath.Join(s.folder, "vkey"))
	if err != nil {
		return tlog.Tree{}, "", err
	}
	data, err := os.ReadFile(filepath.Join(s.folder, "checkpoint"))
	if err != nil {
		return tlog.Tree{}, "", err
	}
	text, err := open(string(data), string(vkey))
	if err != nil {
		return tlog.Tree{}, "", err
	}
	lines := strings.Split(text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, "", err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, text, err
}

func open(data, vkey string) (string, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return "", err
	}
	opened, err := note.Open([]byte(data), note.VerifierList(verifier))
	if err != nil {
		return "", err
	}
	return opened.Text, nil
}

func handle(log served, ask request) (reply answer, err error) {
	switch ask.Do {
	case "open":
		reply.Text, err = open(ask.Text, ask.Vkey)
	case "sign":
		err = sign(ask, &reply)
	case "vkey":
		reply.Vkey, err = note.NewEd25519VerifierKey(ask.Name, ed25519.PublicKey(ask.Public))
	case "check-inclusion":
		err = tlog.CheckRecord(ask.Proof, ask.Size, ask.Root, ask.Index, tlog.RecordHash(ask.Entry))
	case "check-consistency":
		err = tlog.CheckTree(ask.Proof, ask.Size, ask.Root, ask.OldSize, ask.OldRoot)
	default:
		err = fromTiles(log, ask, &reply)
	}
	return reply, err
}

func sign(ask request, reply *answer) error {
	skey, vkey, err := note.GenerateKey(rand.Reader, ask.Name)
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		return err
	}
	signed, err := note.Sign(&note.Note{Text: ask.Text}, signer)
	reply.Text, reply.Vkey = string(signed), vkey
	return err
}

func fromTiles(log served, ask request, reply *answer) error {
	tree, text, err := log.checkpoint()
	if err != nil {
		return err
	}
	reply.Text, reply.Size = text, tree.N
	reader := tlog.TileHashReader(tree, log)
	switch ask.Do {
	case "root":
		var root tlog.Hash
		root, err = tlog.TreeHash(tree.N, reader)
		if err == nil && root != tree.Hash {
			err = errors.New("the tiles have another root")
		}
	case "entry":
		var hashes []tlog.Hash
		hashes, err = reader.ReadHashes([]int64{tlog.StoredHashIndex(0, ask.Index)})
		if err == nil && hashes[0] != tlog.RecordHash(ask.Entry) {
			err = errors.New("another entry stands there")
		}
	case "prove-inclusion":
		reply.Proof, err = tlog.ProveRecord(tree.N, ask.Index, reader)
	case "prove-consistency":
		reply.Proof, err = tlog.ProveTree(tree.N, ask.OldSize, reader)
	default:
		err = fmt.Errorf("unknown request %q", ask.Do)
	}
	return err
}

func main() {
	log := served{folder: os.Args[1]}
	requests := json.NewDecoder(bufio.NewReader(os.Stdin))
	answers := json.NewEncoder(os.Stdout)
	for requests.More() {
		var ask request
		var reply answer
		err := requests.Decode(&ask)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		if reply, err = handle(log, ask); err != nil {
			reply.Error = err.Error()
		}
		if err := answers.Encode(reply); err != nil {
			os.Exit(2)
		}
	}
}
