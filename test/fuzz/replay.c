/*
 * replay.c: runs a fuzz target over files, without libFuzzer: seeds and crashers, for make unit.
 *
 * What:       every argument is a file or a folder of files; each is one input, and so is no input.
 * Invariants: none.
 * Locking:    one thread.
 * Failure:    whatever the target finds ends the program; a file that cannot be read: status 1.
 * Source:     libFuzzer's interface.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned count;

static int run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t size = 0, n = 0;

	if (!file)
		return -1;
	do {
		data = realloc(data, size + 65536);
		n = fread(data + size, 1, 65536, file);
		size += n;
	} while (n);
	fclose(file);
	data = realloc(data, size ? size : 1); /* ASan sees where it ends */
	(void)LLVMFuzzerTestOneInput(data, size);
	free(data);
	count++;
	return 0;
}

static int run(const char *path)
{
	struct dirent *entry;
	DIR *folder = opendir(path);
	char name[4096];
	int code = 0;

	if (!folder)
		return run_file(path);
	while (!code && (entry = readdir(folder)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		code = run_file(name);
	}
	closedir(folder);
	return code;
}

int main(int argc, char **argv)
{
	(void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++)
		if (run(argv[i]) != 0) {
			fprintf(stderr, "%s: cannot be read\n", argv[i]);
			return 1;
		}
	printf("%s: %u files\n", argv[0], count);
	return 0;
}
