/* kd2m: the command. Finds the subcommand in the table and runs it. */
#include <stdio.h>
#include <string.h>

#include "app.h"

static const cli_command commands[] = {
#define KD2M_COMMAND(name, summary) {#name, summary, cli_##name},
#ifdef KD2M_WITH_NN
#include "commands_nn.def"
#endif
#include "commands.def"
#undef KD2M_COMMAND
};
#define COMMANDS (sizeof commands / sizeof *commands)

static void print_help(FILE *to) {
    fputs("Usage: kd2m COMMAND [OPTION...]\n"
          "Distils a large net into a small one by matching the distributions of their features.\n"
          "\nCommands:\n",
          to);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fputs("\nExamples:\n"
          "  kd2m demo\n"
          "  kd2m train --data idx:DIR --model mlp:784-512-256-10 --out runs/teacher\n"
          "  kd2m distill --data idx:DIR --model mlp:784-64-10 --teacher runs/teacher \\\n"
          "      --metric w2 --weight 1 --out runs/student\n"
          "  kd2m eval runs/student --data idx:DIR\n"
          "  kd2m distance A.npy B.npy --metric w2 --json\n"
          "\n'kd2m COMMAND --help' says more about a command.\n",
          to);
}

/* Names the command nearest to what was typed: one that shares its first letters. */
static const char *nearest_command(const char *name) {
    size_t best = 0, best_shared = 0;
    for (size_t i = 0; i < COMMANDS; i++) {
        size_t shared = 0;
        while (name[shared] && name[shared] == commands[i].name[shared])
            shared++;
        if (shared > best_shared) {
            best = i;
            best_shared = shared;
        }
    }
    return best_shared > 0 ? commands[best].name : NULL;
}

int main(int argc, char **argv) {
    cli_watch_output();
    if (argc < 2) {
        print_help(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("kd2m %s\n", kd2m_version());
        return 0;
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        char name[64];
        snprintf(name, sizeof name, "kd2m %s", commands[i].name);
        argv[1] = name;
        return commands[i].run(argc - 1, argv + 1);
    }
    const char *near = nearest_command(argv[1]);
    fprintf(stderr, "kd2m: no command '%s'%s%s%s; 'kd2m --help' lists them\n", argv[1],
            near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
    return 2;
}
