package main

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/cockroachdb/pebble"
	badger "github.com/dgraph-io/badger/v4"
	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	_ "modernc.org/sqlite"
)

func add(count, total *int, value []byte) error {
	n, err := strconv.Atoi(string(value))
	*count, *total = *count+1, *total+n
	return err
}

type sqlite struct{ db *sql.DB }

func openSQLite(folder string) (store, error) {
	file := "file:" + filepath.Join(folder, "records.db") + "?_pragma=journal_mode(wal)&_pragma=busy_timeout(60000)&_txlock=immediate"
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return nil, err
	}
	_, err = db.Exec("create table if not exists records(key text primary key, value text)")
	return sqlite{db}, err
}

func (s sqlite) put(first, last int) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for i := first; i < last; i++ {
		if _, err := tx.Exec("insert into records values(?, ?)", key(i), value(i)); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (s sqlite) sum() (count, total int, err error) {
	err = s.db.QueryRow("select count(*), sum(cast(cast(value as text) as integer)) from records").Scan(&count, &total)
	return count, total, err
}

func (s sqlite) close() error { return s.db.Close() }

type badgerStore struct{ db *badger.DB }

func openBadger(folder string) (store, error) {
	options := badger.DefaultOptions(folder).WithLogger(nil).WithMemTableSize(1 << 20).WithValueLogFileSize(4 << 20).
		WithValueThreshold(64)
	db, err := badger.Open(options)
	return badgerStore{db}, err
}

func (s badgerStore) put(first, last int) error {
	batch := s.db.NewWriteBatch()
	defer batch.Cancel()
	for i := first; i < last; i++ {
		if err := batch.Set(key(i), value(i)); err != nil {
			return err
		}
	}
	return batch.Flush()
}

func (s badgerStore) sum() (count, total int, err error) {
	err = s.db.View(func(tx *badger.Txn) error {
		it := tx.NewIterator(badger.DefaultIteratorOptions)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			if err := it.Item().Value(func(v []byte) error { return add(&count, &total, v) }); err != nil {
				return err
			}
		}
		return nil
	})
	return count, total, err
}

func (s badgerStore) close() error { return s.db.Close() }

type pebbleStore struct{ db *pebble.DB }

type silent struct{}

func (silent) Infof(string, ...any)      {}
func (silent) Errorf(string, ...any)     {}
func (silent) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }

func openPebble(folder string) (store, error) {
	db, err := pebble.Open(folder, &pebble.Options{Logger: silent{}, MemTableSize: 64 << 10})
	return pebbleStore{db}, err
}

func (s pebbleStore) put(first, last int) error {
	for i := first; i < last; i++ {
		how := pebble.NoSync
		if i%100 == 0 {
			how = pebble.Sync
		}
		if err := s.db.Set(key(i), value(i), how); err != nil {
			return err
		}
	}
	return s.db.Flush()
}

func (s pebbleStore) sum() (count, total int, err error) {
	it, err := s.db.NewIter(nil)
	if err != nil {
		return 0, 0, err
	}
	for it.First(); it.Valid() && err == nil; it.Next() {
		err = add(&count, &total, it.Value())
	}
	return count, total, errors.Join(err, it.Close())
}

func (s pebbleStore) close() error { return s.db.Close() }

type boltStore struct {
	db   *bolt.DB
	file string
}

var bucket = []byte("records")

func openBolt(folder string) (store, error) {
	file := filepath.Join(folder, "records.db")
	db, err := bolt.Open(file, 0o600, &bolt.Options{Timeout: time.Minute})
	return boltStore{db, file}, err
}

func (s boltStore) put(first, last int) error {
	return s.db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucket)
		for i := first; i < last && err == nil; i++ {
			err = b.Put(key(i), value(i))
		}
		return err
	})
}

// sum also asks whether the file's lock keeps others out.
func (s boltStore) sum() (count, total int, err error) {
	if _, err := bolt.Open(s.file, 0o600, &bolt.Options{Timeout: time.Millisecond}); !errors.Is(err, bolterrors.ErrTimeout) {
		return 0, 0, fmt.Errorf("opened twice: %v", err)
	}
	err = s.db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(bucket).ForEach(func(_, v []byte) error { return add(&count, &total, v) })
	})
	return count, total, err
}

func (s boltStore) close() error { return s.db.Close() }
