// Stores puts the same records into four databases at once, as a server would, closes them, opens them
// again, and says what it finds: sqlite (a write-ahead log in shared memory, locks on ranges), badger
// (value logs in mappings), pebble (compaction by many goroutines) and bbolt (one mapped file, flock). Then
// it asks a gRPC server of its own.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sync"
)

// records is how many each database gets, by writers goroutines.
const records, writers = 4000, 4

// store is a database with its own ideas of files.
type store interface {
	// put writes the records from first to before last, in one or more transactions.
	put(first, last int) error
	// sum reads all of them: how many there are, and the sum of their values.
	sum() (count, total int, err error)
	close() error
}

var stores = []struct {
	name string
	open func(folder string) (store, error)
}{
	{"sqlite", openSQLite}, {"badger", openBadger}, {"pebble", openPebble}, {"bbolt", openBolt},
}

func key(i int) []byte   { return []byte(fmt.Sprintf("key-%06d", i)) }
func value(i int) []byte { return []byte(fmt.Sprintf("%0128d", i*i)) }

func main() {
	log.SetFlags(0)
	folder, err := os.MkdirTemp("", "stores")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	lines := make([]string, len(stores))
	var all sync.WaitGroup
	for i, s := range stores {
		all.Add(1)
		go func(i int, name string, open func(string) (store, error)) {
			defer all.Done()
			line, err := exercise(filepath.Join(folder, name), open)
			if err != nil {
				line = err.Error()
			}
			lines[i] = name + " " + line
		}(i, s.name, s.open)
	}
	all.Wait()
	for _, line := range lines {
		fmt.Println(line)
	}
	answers, err := askGRPC(context.Background(), 200)
	fmt.Println("grpc", answers, err)
}

// exercise fills a store by several writers, closes it, and reads what another opening of it has.
func exercise(folder string, open func(string) (store, error)) (string, error) {
	if err := os.Mkdir(folder, 0o755); err != nil {
		return "", err
	}
	s, err := open(folder)
	if err != nil {
		return "", err
	}
	errs := make(chan error, writers)
	for w := 0; w < writers; w++ {
		go func(w int) { errs <- s.put(w*records/writers, (w+1)*records/writers) }(w)
	}
	for w := 0; w < writers; w++ {
		if err := <-errs; err != nil {
			return "", err
		}
	}
	if err := s.close(); err != nil {
		return "", err
	}
	if s, err = open(folder); err != nil {
		return "", err
	}
	count, total, err := s.sum()
	if err != nil {
		return "", err
	}
	return fmt.Sprint(count, " records, sum ", total), s.close()
}
