/* A thread per client, with blocking calls: the baseline for `threads`. It has
 * no limits, no timeouts and no drain. */
#include "protocol.h"

#include <pthread.h>

/* Writes all of `bytes`, however long the client takes to read them. */
static int write_all(int fd, const char *bytes, size_t length) {
    while (length) {
        ssize_t count = send(fd, bytes, length, 0);
        if (count < 0) return -1;
        bytes += count;
        length -= (size_t)count;
    }
    return 0;
}

static void *converse(void *argument) {
    int fd = (int)(intptr_t)argument;
    struct input in = {.length = 0};
    char out[INPUT_BYTES];
    for (;;) {
        ssize_t count = recv(fd, in.bytes + in.length,
                             sizeof in.bytes - in.length, 0);
        if (count <= 0) break;
        in.length += (size_t)count;
        for (size_t length; (length = answer(&in, out, sizeof out));)
            if (write_all(fd, out, length)) goto gone;
    }
gone:
    close(fd);
    return NULL;
}

int main(int count, char **words) {
    int listener = listen_on(count > 1 ? words[1] : "127.0.0.1:25000");
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&small, 128 * 1024);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        pthread_t thread;
        if (fd < 0) {
            perror("accept");
            usleep(100000);
        } else if (pthread_create(&thread, &small, converse,
                                  (void *)(intptr_t)fd)) {
            close(fd);
        }
    }
}
