/* The part of the wire protocol that both peers need: reads lines, writes
 * replies. */
#ifndef PROTOCOL_H
#define PROTOCOL_H

/* For accept4 and usleep, whatever standard the compiler is set to. Include
 * this header first. */
#define _GNU_SOURCE

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 64, N_MAX = 45, INPUT_BYTES = 4096 };

/* One client's input that hasn't been answered yet. */
struct input {
    char bytes[INPUT_BYTES];
    size_t length;
    int skipping;
};

static __attribute__((noinline)) uint64_t fib(unsigned n) {
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static int is_blank(char c) { return c == ' ' || c == '\t'; }

/* Writes the reply to one line, without its LF, and returns its length. */
static size_t reply(const char *line, size_t length, char *out) {
    unsigned n = 0;
    if (length && line[length - 1] == '\r') length--;
    while (length && is_blank(line[length - 1])) length--;
    while (length && is_blank(*line)) line++, length--;
    int is_number = length > 0;
    for (size_t i = 0; i < length; i++) {
        if (line[i] < '0' || line[i] > '9') { is_number = 0; break; }
        n = n * 10 + (unsigned)(line[i] - '0');
        if (n > 255) n = 255;
    }
    if (!is_number) return (size_t)sprintf(out, "error: not-a-number\n");
    if (n > N_MAX) return (size_t)sprintf(out, "error: too-large\n");
    char digits[20], *end = digits + sizeof digits, *start = end;
    uint64_t value = fib(n);
    do *--start = (char)('0' + value % 10); while (value /= 10);
    memcpy(out, start, (size_t)(end - start));
    out[end - start] = '\n';
    return (size_t)(end - start) + 1;
}

/* Answers the lines in `in` until none is left or `out` has no room; returns
 * the number of bytes written to `out`. */
static size_t answer(struct input *in, char *out, size_t room) {
    size_t start = 0, written = 0;
    while (start < in->length && room - written >= LINE_MAX_BYTES) {
        char *line = in->bytes + start;
        size_t rest = in->length - start;
        char *lf = memchr(line, '\n', in->skipping || rest < LINE_MAX_BYTES
                                          ? rest : LINE_MAX_BYTES);
        if (in->skipping) {
            start = lf ? (size_t)(lf - in->bytes) + 1 : in->length;
            in->skipping = !lf;
        } else if (lf) {
            written += reply(line, (size_t)(lf - line), out + written);
            start = (size_t)(lf - in->bytes) + 1;
        } else if (rest >= LINE_MAX_BYTES) {
            written += (size_t)sprintf(out + written,
                                       "error: line-too-long\n");
            start += LINE_MAX_BYTES;
            in->skipping = 1;
        } else {
            break;
        }
    }
    memmove(in->bytes, in->bytes + start, in->length - start);
    in->length -= start;
    return written;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

/* Listens on HOST:PORT and prints the address. */
static int listen_on(const char *address) {
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t length = sizeof at;
    char host[64] = "127.0.0.1";
    unsigned port = 25000;
    int one = 1;
    if (sscanf(address, "%63[^:]:%u", host, &port) != 2 ||
        inet_pton(AF_INET, host, &at.sin_addr) != 1) {
        fprintf(stderr, "usage: PROGRAM HOST:PORT\n");
        exit(2);
    }
    at.sin_port = htons((uint16_t)port);
    signal(SIGPIPE, SIG_IGN);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&at, sizeof at)) die("bind");
    if (listen(fd, 1024)) die("listen");
    getsockname(fd, (struct sockaddr *)&at, &length);
    printf("listening on %s:%u\n", host, ntohs(at.sin_port));
    fflush(stdout);
    return fd;
}

#endif
