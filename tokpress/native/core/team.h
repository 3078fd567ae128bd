/* A team of threads that share the tasks of one phase, then of the next. Tasks of one phase must not depend on each
 * other, so the result does not depend on which thread runs a task.
 *
 * One atomic word holds the phase, its number of tasks and the next task, so a late thread takes a task of the current
 * phase or none. Phases last about 100 us, so waiting threads spin, with sched_yield every 1,024 looks; between calls
 * they sleep on a condition variable. Without POSIX threads, or where none can be started, the caller runs all
 * tasks. */
#ifndef TP_TEAM_H
#define TP_TEAM_H

#include "core.h"

#if !defined(_WIN32) && !defined(__STDC_NO_ATOMICS__)
#define TP_THREADS 1
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>
#else
#define TP_THREADS 0
#endif

#define MAX_THREADS 64

typedef void (*team_work)(void *of, int phase, int64_t task, int thread);

#if TP_THREADS

typedef struct team team;
typedef struct {
    team *team;
    int number;
    pthread_t thread;
} team_member;

struct team {
    team_work work;
    void *of;
    int threads, used; /* the caller included: all threads; threads that share the next call's tasks */
    pid_t process;
    _Alignas(64) atomic_uint_least64_t word; /* generation 24 | phase 8 | tasks 16 | next 16 */
    _Alignas(64) atomic_int_least64_t done;
    atomic_int marked; /* in a phase: whether its mark was set */
    _Alignas(64) atomic_int awake; /* in a call, the threads that share its tasks; between calls 0; -1: end */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    team_member members[MAX_THREADS];
    uint64_t generation;
};

INLINE void team_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Do tasks as long as there are any. */
static void team_do(team *t, int number) {
    while ((atomic_load_explicit(&t->word, memory_order_relaxed) & 0xFFFF) < (atomic_load_explicit(&t->word, memory_order_relaxed) >> 16 & 0xFFFF)) {
        uint64_t word = atomic_fetch_add_explicit(&t->word, 1, memory_order_acq_rel);
        if ((word & 0xFFFF) >= (word >> 16 & 0xFFFF)) return;
        t->work(t->of, (int)(word >> 32 & 0xFF), (int64_t)(word & 0xFFFF), number);
        atomic_fetch_add_explicit(&t->done, 1, memory_order_acq_rel);
    }
}

static void *team_serve(void *argument) {
    team_member *m = argument;
    team *t = m->team;
    for (;;) {
        for (int looks = 0; atomic_load_explicit(&t->awake, memory_order_acquire) > m->number; looks++) {
            team_do(t, m->number);
            team_pause();
            if (looks % 1024 == 1023) sched_yield();
        }
        pthread_mutex_lock(&t->lock);
        int awake;
        while ((awake = atomic_load_explicit(&t->awake, memory_order_acquire)) >= 0 && awake <= m->number)
            pthread_cond_wait(&t->wake, &t->lock);
        pthread_mutex_unlock(&t->lock);
        if (awake < 0) return NULL;
    }
}

static void team_set_awake(team *t, int awake) {
    pthread_mutex_lock(&t->lock);
    atomic_store_explicit(&t->awake, awake, memory_order_release);
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

/* Fewer threads where they cannot be started; NULL where there is no memory. */
static UNUSED team *team_new(int threads, team_work work, void *of) {
    team *t = tp_zeros(sizeof *t);
    if (t == NULL) return NULL;
    t->work = work;
    t->of = of;
    t->threads = 1;
    t->process = getpid();
    if (pthread_mutex_init(&t->lock, NULL) || pthread_cond_init(&t->wake, NULL)) return t;
    for (int i = 1; i < threads && i < MAX_THREADS; i++) {
        t->members[i] = (team_member){.team = t, .number = i};
        if (pthread_create(&t->members[i].thread, NULL, team_serve, &t->members[i])) break;
        t->threads++;
    }
    t->used = t->threads;
    return t;
}

static UNUSED void team_free(team *t) {
    if (t == NULL) return;
    if (t->process == getpid() && t->threads > 1) { /* a child of fork has the caller only */
        team_set_awake(t, -1);
        for (int i = 1; i < t->threads; i++) pthread_join(t->members[i].thread, NULL);
    }
    tp_free(t);
}

/* From the next call on, `threads` of them share the tasks. */
static UNUSED void team_use(team *t, int threads) { t->used = threads < 1 ? 1 : threads < t->threads ? threads : t->threads; }

/* Around the phases of a call. */
static void team_begin(team *t) {
    if (t->process != getpid()) t->threads = t->used = 1; /* a child of fork */
    if (t->used > 1) team_set_awake(t, t->used);
}
static void team_end(team *t) {
    if (t->used > 1) team_set_awake(t, 0);
}

/* All tasks of a phase, at most 2^15. */
static void team_run(team *t, int phase, int64_t tasks) {
    if (t->used == 1 || tasks == 1) {
        for (int64_t i = 0; i < tasks; i++) t->work(t->of, phase, i, 0);
        return;
    }
    atomic_store_explicit(&t->done, 0, memory_order_relaxed);
    atomic_store_explicit(&t->marked, 0, memory_order_relaxed);
    t->generation++;
    uint64_t word = t->generation << 40 | (uint64_t)phase << 32 | (uint64_t)tasks << 16;
    atomic_store_explicit(&t->word, word, memory_order_release);
    team_do(t, 0);
    for (int looks = 1; atomic_load_explicit(&t->done, memory_order_acquire) < tasks; looks++) {
        team_pause();
        if (looks % 1024 == 0) sched_yield();
    }
}

/* A task sets the mark of its phase; those after it may wait for it. */
static UNUSED void team_mark(team *t) { atomic_store_explicit(&t->marked, 1, memory_order_release); }
static UNUSED void team_await(team *t) {
    if (t->used == 1) return;
    for (int looks = 1; !atomic_load_explicit(&t->marked, memory_order_acquire); looks++) {
        team_pause();
        if (looks % 1024 == 0) sched_yield();
    }
}

#else

typedef struct {
    team_work work;
    void *of;
    int threads, used;
} team;

static UNUSED team *team_new(int threads, team_work work, void *of) {
    team *t = tp_zeros(sizeof *t);
    (void)threads;
    if (t) *t = (team){work, of, 1, 1};
    return t;
}
static UNUSED void team_free(team *t) { tp_free(t); }
static UNUSED void team_use(team *t, int threads) { (void)t, (void)threads; }
static void team_begin(team *t) { (void)t; }
static void team_end(team *t) { (void)t; }
static void team_run(team *t, int phase, int64_t tasks) {
    for (int64_t i = 0; i < tasks; i++) t->work(t->of, phase, i, 0);
}
static UNUSED void team_mark(team *t) { (void)t; }
static UNUSED void team_await(team *t) { (void)t; }

#endif

#endif
