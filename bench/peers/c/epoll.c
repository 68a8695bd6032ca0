/* A readiness loop on bare epoll, edge-triggered: the baseline for the event
 * loops. It has no limits, no timeouts and no drain. */
#include "protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>

enum { EVENTS_MAX = 1024, OUTPUT_BYTES = 4096 };

struct client {
    int fd;
    int is_readable, reads_until_blocked;
    struct input in;
    char out[OUTPUT_BYTES];
    size_t sent, length;
};

static void leave(struct client *client) {
    close(client->fd);
    free(client);
}

/* Serves one client until its socket isn't ready. */
static void converse(struct client *client) {
    for (;;) {
        if (client->sent < client->length) {
            ssize_t count = send(client->fd, client->out + client->sent,
                                 client->length - client->sent, 0);
            if (count < 0 && errno == EAGAIN) return;
            if (count < 0) return leave(client);
            client->sent += (size_t)count;
            continue;
        }
        client->sent = 0;
        client->length = answer(&client->in, client->out, OUTPUT_BYTES);
        if (client->length) continue;
        if (!client->is_readable) return;
        size_t room = INPUT_BYTES - client->in.length;
        ssize_t count = recv(client->fd, client->in.bytes + client->in.length,
                             room, 0);
        if (count < 0 && errno == EAGAIN) {
            client->is_readable = 0;
            return;
        }
        if (count <= 0) return leave(client);
        client->in.length += (size_t)count;
        /* A short read has emptied the socket: new data raises a new edge. */
        client->is_readable =
            client->reads_until_blocked || (size_t)count == room;
    }
}

static void accept_all(int epoll, int listener) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EAGAIN) return;
            /* Out of descriptors, for example; the listener stays ready. */
            perror("accept");
            usleep(100000);
            return;
        }
        struct client *client = malloc(sizeof *client);
        if (!client) die("malloc");
        client->fd = fd;
        client->is_readable = client->reads_until_blocked = 0;
        client->sent = client->length = 0;
        client->in.length = 0;
        client->in.skipping = 0;
        struct epoll_event event = {
            .events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET,
            .data.ptr = client};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) leave(client);
    }
}

int main(int count, char **words) {
    int listener = listen_on(count > 1 ? words[1] : "127.0.0.1:25000");
    fcntl(listener, F_SETFL, O_NONBLOCK);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    static struct epoll_event events[EVENTS_MAX];
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event)) die("epoll_ctl");
    for (;;) {
        int ready = epoll_wait(epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < ready; i++) {
            struct client *client = events[i].data.ptr;
            if (!client) {
                accept_all(epoll, listener);
                continue;
            }
            /* A read stops at urgent data, so a short read doesn't mean that
             * the socket is empty. */
            if (events[i].events &
                (EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
                client->reads_until_blocked = 1;
            client->is_readable = 1;
            converse(client);
        }
    }
}
