/*
 * commands.h: the commands. Each takes its own argument vector (argv[0] is the command's name)
 * and returns the exit code of the process.
 */
#pragma once

int command_build(int argc, char **argv);
int command_run(int argc, char **argv);
int command_exec(int argc, char **argv);
int command_inspect(int argc, char **argv);
int command_doctor(int argc, char **argv);

/* Prints the help of a command (NULL: the overview) to standard output; 125: no such command. */
int help_print(const char *command);
