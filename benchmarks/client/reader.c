/* The floor: as little as a client can do. Reads, counts events, reads the clock; no JSON, no HTTP.

     reader PORT STREAMS REQUESTS [--errors]

   A closed loop of STREAMS connections, REQUESTS in all. Prints one JSON object: events, wall_s, cpu_s;
   with --errors also the time of each read minus the time that its last event carries, milliseconds. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "figures.h"

static char request[256];
static int request_len;

struct stream { int fd; char tail[32]; int tail_len; };

static int64_t now_ns(void) {
    struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static double cpu_s(void) {
    struct rusage u; getrusage(RUSAGE_SELF, &u);
    return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv) {
    if (argc < 4) { fprintf(stderr, "reader PORT STREAMS REQUESTS [--errors]\n"); return 2; }
    int port = atoi(argv[1]), streams = atoi(argv[2]), requests = atoi(argv[3]), errors = argc > 4;
    static const char body[] = "{\"model\":\"bench-model\",\"prompt\":\"x\",\"stream\":true}";
    request_len = sprintf(request, "POST /v1/completions HTTP/1.1\r\nhost: bench\r\n"
        "content-type: application/json\r\ncontent-length: %zu\r\n\r\n%s", sizeof body - 1, body);
    struct stream *all = calloc(streams, sizeof *all);
    struct figures late = {0};
    int ep = epoll_create1(0), begun = 0, ended = 0;
    for (int i = 0; i < streams; i++) {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int one = 1, fd = all[i].fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (void *)&at, sizeof at)) { perror("reader"); return 1; }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        fcntl(fd, F_SETFL, O_NONBLOCK);
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = &all[i]};
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
    }
    int64_t start = now_ns(); double cpu = cpu_s(); long events = 0;
    for (int i = 0; i < streams && begun < requests; i++, begun++) send(all[i].fd, request, request_len, 0);
    static char data[65536 + 64]; struct epoll_event ready[512];
    while (ended < requests) {
        int n = epoll_wait(ep, ready, 512, -1);
        for (int i = 0; i < n; i++) {
            struct stream *s = ready[i].data.ptr;
            memcpy(data, s->tail, s->tail_len);
            ssize_t got = recv(s->fd, data + s->tail_len, 65536, 0);
            if (got <= 0) { fprintf(stderr, "reader: the server closed a stream\n"); return 1; }
            int64_t t = now_ns();
            char *end = data + s->tail_len + got, *at = data, *last = NULL;
            while ((at = memmem(at, end - at, "\ndata: {\"id\"", 12))) { events++; last = at; at += 12; }
            if (errors && last && end - last > 40 && last[18] == '-') {
                int64_t sent = strtoll(last + 19, NULL, 10);
                if (sent) add(&late, t - sent);
            }
            /* what may be the start of an event is kept: its marker is 12 bytes long */
            int keep = end - data < 11 ? end - data : 11;
            int over = end - data >= 5 && !memcmp(end - 5, "0\r\n\r\n", 5);
            memcpy(s->tail, end - keep, keep); s->tail_len = keep;
            if (over) {
                s->tail_len = 0; events--;                   /* the one that says usage bears no token */
                ended++;
                if (begun < requests) { begun++; send(s->fd, request, request_len, 0); }
            }
        }
    }
    char text[256];
    say(&late, text);
    printf("{\"events\":%ld,\"wall_s\":%.6f,\"cpu_s\":%.6f,\"error_ms\":%s}\n", events, (now_ns() - start) / 1e9,
           cpu_s() - cpu, text);
    return 0;
}
