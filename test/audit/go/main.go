// A check of dockgate's access log that shares nothing with dockgate: Go's own transparency log packages, which serve
// the Go checksum database, read the files that the gateway wrote.
//
//	audit-check log DIR KEY-FILE                     checkpoint, every tile and every record
//	audit-check inclusion PROOF KEY-FILE             one record, from a C2SP tlog-proof
//	audit-check consistency PROOF OLDER KEY-FILE     one checkpoint continues another, from a C2SP tlog-witness body
//
// It prints one line that begins with "good" and ends with 0, or prints why not and ends with 1.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	said, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "bad:", err)
		os.Exit(1)
	}
	fmt.Println("good:", said)
}

func run(args []string) (string, error) {
	switch {
	case len(args) == 3 && args[0] == "log":
		return checkLog(args[1], args[2])
	case len(args) == 3 && args[0] == "inclusion":
		return checkInclusion(args[1], args[2])
	case len(args) == 4 && args[0] == "consistency":
		return checkConsistency(args[1], args[2], args[3])
	}
	return "", errors.New("say: log DIR KEY-FILE, inclusion PROOF KEY-FILE or consistency PROOF OLDER KEY-FILE")
}

func readKey(keyFile string) (note.Verifier, error) {
	vkey, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	return note.NewVerifier(strings.TrimSpace(string(vkey)))
}

// openCheckpoint checks the signature and reads the three lines of C2SP tlog-checkpoint.
func openCheckpoint(signed []byte, keyFile string) (tlog.Tree, error) {
	verifier, err := readKey(keyFile)
	if err != nil {
		return tlog.Tree{}, err
	}
	tree, _, err := openSigned(signed, verifier)
	return tree, err
}

// openSigned also returns the extension lines of the checkpoint.
func openSigned(signed []byte, verifier note.Verifier) (tlog.Tree, []string, error) {
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, nil, err
	}
	lines := strings.Split(strings.TrimSuffix(opened.Text, "\n"), "\n")
	if len(lines) < 3 || lines[0] != verifier.Name() {
		return tlog.Tree{}, nil, fmt.Errorf("the note is no checkpoint of %s", verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, nil, err
	}
	hash, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: hash}, lines[3:], err
}

// followKeys goes from a key that is believed to the one that signs now: each exchange is a checkpoint with the new
// key in an extension line, which both keys signed. It returns those checkpoints, too.
func followKeys(directory string, verifier note.Verifier) (note.Verifier, []tlog.Tree, error) {
	var exchanges []tlog.Tree
	for count := 1; ; count++ {
		signed, err := os.ReadFile(filepath.Join(directory, fmt.Sprintf("rotation-%d", count)))
		if errors.Is(err, os.ErrNotExist) {
			return verifier, exchanges, nil
		}
		if err != nil {
			return nil, nil, err
		}
		tree, extensions, err := openSigned(signed, verifier)
		if err != nil || len(extensions) != 1 {
			continue // before the time of the key that is believed
		}
		next, err := note.NewVerifier(strings.TrimPrefix(extensions[0], "key "))
		if err != nil {
			return nil, nil, err
		}
		if _, _, err := openSigned(signed, next); err != nil {
			return nil, nil, fmt.Errorf("exchange %d is not signed by the new key: %w", count, err)
		}
		verifier = next
		exchanges = append(exchanges, tree)
	}
}

// tiles reads the tiles of C2SP tlog-tiles, which are those of the checksum database at height 8 under shorter names.
type tiles struct{ directory string }

func (t tiles) Height() int { return 8 }

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range wanted {
		data, err := t.read(tile)
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t tiles) read(tile tlog.Tile) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(t.directory, pathOf(tile)))
	if errors.Is(err, os.ErrNotExist) && tile.W < 1<<tile.H {
		// The full tile has taken the partial one's place.
		full := tile
		full.W = 1 << tile.H
		data, err = os.ReadFile(filepath.Join(t.directory, pathOf(full)))
		if err == nil && tile.L >= 0 && len(data) >= tile.W*tlog.HashSize {
			data = data[:tile.W*tlog.HashSize]
		}
	}
	return data, err
}

func pathOf(tile tlog.Tile) string {
	path := tile.Path()
	if tile.L < 0 {
		return "tile/entries/" + strings.TrimPrefix(path, "tile/8/data/")
	}
	return "tile/" + strings.TrimPrefix(path, "tile/8/")
}

func checkLog(directory, keyFile string) (string, error) {
	signed, err := os.ReadFile(filepath.Join(directory, "checkpoint"))
	if err != nil {
		return "", err
	}
	believed, err := readKey(keyFile)
	if err != nil {
		return "", err
	}
	verifier, exchanges, err := followKeys(directory, believed)
	if err != nil {
		return "", err
	}
	tree, _, err := openSigned(signed, verifier)
	if err != nil {
		return "", err
	}
	files := tiles{directory}
	// Every hash it hands out was checked against the checkpoint.
	hashes := tlog.TileHashReader(tree, files)
	for _, exchange := range exchanges {
		root, err := tlog.TreeHash(exchange.N, hashes)
		if err != nil {
			return "", err
		}
		if root != exchange.Hash {
			return "", fmt.Errorf("the key was exchanged in another history of %d records", exchange.N)
		}
	}
	keptFrom, err := readPruned(directory, verifier)
	if err != nil {
		return "", err
	}
	for first := keptFrom; first < tree.N; first += 256 {
		if err := checkBundle(files, hashes, tree, first); err != nil {
			return "", err
		}
	}
	if err := checkProofs(hashes, tree); err != nil {
		return "", err
	}
	if keptFrom > 0 {
		return fmt.Sprintf("%d records, %d of them removed", tree.N, keptFrom), nil
	}
	return fmt.Sprintf("%d records", tree.N), nil
}

// readPruned returns the first record that was kept, from the signed note about those that were removed in good order.
// Their hashes are still in the tree.
func readPruned(directory string, verifier note.Verifier) (int64, error) {
	signed, err := os.ReadFile(filepath.Join(directory, "pruned"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return 0, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 3 || lines[0] != "dockgate pruned records" {
		return 0, errors.New("the note about removed records is another")
	}
	return strconv.ParseInt(lines[2], 10, 64)
}

// checkBundle hashes each record of one entry bundle and compares with the authenticated hash in the tree.
func checkBundle(files tiles, hashes tlog.HashReader, tree tlog.Tree, first int64) error {
	width := tree.N - first
	if width > 256 {
		width = 256
	}
	data, err := files.read(tlog.Tile{H: 8, L: -1, N: first / 256, W: int(width)})
	if err != nil {
		return err
	}
	indexes := make([]int64, width)
	for at := range indexes {
		indexes[at] = tlog.StoredHashIndex(0, first+int64(at))
	}
	expected, err := hashes.ReadHashes(indexes)
	if err != nil {
		return err
	}
	for at := int64(0); at < width; at++ {
		if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
			return fmt.Errorf("record %d is missing", first+at)
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		if tlog.RecordHash(data[2:end]) != expected[at] {
			return fmt.Errorf("record %d is not the one that was signed", first+at)
		}
		data = data[end:]
	}
	// A full bundle may have taken the place of one that was not full: what follows in it is not signed yet.
	if width == 256 && len(data) > 0 {
		return fmt.Errorf("there are %d bytes after record %d", len(data), first+width-1)
	}
	return nil
}

// checkProofs makes proofs from the files and checks them, for some records and some older sizes.
func checkProofs(hashes tlog.HashReader, tree tlog.Tree) error {
	step := tree.N/50 + 1
	for at := int64(0); at < tree.N; at += step {
		stored, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, at)})
		if err != nil {
			return err
		}
		inclusion, err := tlog.ProveRecord(tree.N, at, hashes)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(inclusion, tree.N, tree.Hash, at, stored[0]); err != nil {
			return fmt.Errorf("inclusion of %d: %w", at, err)
		}
		older, err := tlog.TreeHash(at+1, hashes)
		if err != nil {
			return err
		}
		consistency, err := tlog.ProveTree(tree.N, at+1, hashes)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(consistency, tree.N, tree.Hash, at+1, older); err != nil {
			return fmt.Errorf("consistency with %d: %w", at+1, err)
		}
	}
	return nil
}

// splitProof takes a proof apart: the lines before the first empty one, and the signed checkpoint.
func splitProof(path string) ([]string, []byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	parts := strings.SplitN(string(text), "\n\n", 2)
	if len(parts) != 2 {
		return nil, nil, errors.New("the proof has no checkpoint")
	}
	return strings.Split(parts[0], "\n"), []byte(parts[1]), nil
}

func checkInclusion(path, keyFile string) (string, error) {
	lines, signed, err := splitProof(path)
	if err != nil {
		return "", err
	}
	if len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" || !strings.HasPrefix(lines[1], "extra ") {
		return "", errors.New("this is no tlog-proof that carries its record")
	}
	record, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return "", err
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	if err != nil {
		return "", err
	}
	hashes, err := parseHashes(lines[3:])
	if err != nil {
		return "", err
	}
	tree, err := openCheckpoint(signed, keyFile)
	if err != nil {
		return "", err
	}
	if err := tlog.CheckRecord(hashes, tree.N, tree.Hash, index, tlog.RecordHash(record)); err != nil {
		return "", err
	}
	return fmt.Sprintf("record %d of %d", index, tree.N), nil
}

func checkConsistency(path, olderFile, keyFile string) (string, error) {
	lines, signed, err := splitProof(path)
	if err != nil {
		return "", err
	}
	signedOlder, err := os.ReadFile(olderFile)
	if err != nil {
		return "", err
	}
	older, err := openCheckpoint(signedOlder, keyFile)
	if err != nil {
		return "", err
	}
	newer, err := openCheckpoint(signed, keyFile)
	if err != nil {
		return "", err
	}
	if lines[0] != fmt.Sprintf("old %d", older.N) {
		return "", fmt.Errorf("the proof begins with %q, the older checkpoint has %d records", lines[0], older.N)
	}
	hashes, err := parseHashes(lines[1:])
	if err != nil {
		return "", err
	}
	if err := tlog.CheckTree(hashes, newer.N, newer.Hash, older.N, older.Hash); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d records continue %d", newer.N, older.N), nil
}

func parseHashes(lines []string) ([]tlog.Hash, error) {
	var hashes []tlog.Hash
	for _, line := range lines {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}
