/* A minimal load generator, which `compare budgets` compares its own with. It
 * keeps DEPTH requests in flight on each connection, and neither checks replies
 * nor records times. Prints the number of replies and its own CPU time in
 * seconds.
 *
 *     bare_client PORT CONNECTIONS DEPTH SECONDS
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, DEPTH_MAX = 64 };

static double seconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static void must(int ok, const char *what) {
    if (!ok) {
        perror(what);
        exit(1);
    }
}

int main(int count, char **words) {
    must(count == 5, "usage: bare_client PORT CONNECTIONS DEPTH SECONDS");
    int connections = atoi(words[2]), depth = atoi(words[3]);
    must(depth <= DEPTH_MAX, "DEPTH must be at most 64");
    char requests[2 * DEPTH_MAX], replies[4096];
    for (int i = 0; i < depth; i++) memcpy(requests + 2 * i, "1\n", 2);
    int epoll = epoll_create1(0), on = 1;
    struct sockaddr_in to = {
        .sin_family = AF_INET,
        .sin_port = htons(atoi(words[1])),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    for (int i = 0; i < connections; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        must(!connect(fd, (void *)&to, sizeof to), "connect");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct epoll_event event = {
            .events = EPOLLIN | EPOLLET, .data.fd = fd,
        };
        must(!epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
        must(send(fd, requests, 2 * depth, 0) == 2 * depth, "send");
    }
    long answered = 0;
    double end = seconds(CLOCK_MONOTONIC) + atof(words[4]);
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
    while (seconds(CLOCK_MONOTONIC) < end) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(epoll, events, EVENTS, 1000);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            /* A request and its reply are both `1\n`. */
            ssize_t read = recv(fd, replies, sizeof replies, 0);
            must(read > 0, "recv");
            answered += read / 2;
            must(send(fd, requests, read, 0) == read, "send");
        }
    }
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("%ld %.6f\n", answered, cpu);
    return 0;
}
