#include "../unit.h"

#include "code/python_frames.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

/* ---- a Python that sleeps ---- */

static const char program[] = "import threading, time\n" /* line 1 */
                              "class Pool:\n"
                              "    def take(self, n):\n"
                              "        if n > 0:\n"
                              "            return self.take(n - 1)\n"
                              "        time.sleep(\n" /* line 6 */
                              "            600)\n"
                              "def Zürich():\n"
                              "    Pool().take(2)\n" /* line 9 */
                              "t = threading.Thread(target=Zürich)\n"
                              "t.start()\n"
                              "print(t.native_id, flush=True)\n"
                              "t.join()\n"; /* line 13 */

/* Generators, coroutines, lambdas, comprehensions, a callback of C, calls of several lines; and what Python
 * itself says of them, again and again. */
static const char manifold[] = "import asyncio, sys, threading, time\n"
                               "def deepest(n, *, flag=None):\n"
                               "    if n:\n"
                               "        return deepest(\n"
                               "            n - 1,\n"
                               "            flag=flag)\n"
                               "    return [time.sleep(600)\n"
                               "            for i in range(1)\n"
                               "            if flag is None]\n"
                               "def each():\n"
                               "    try:\n"
                               "        yield (lambda x: deepest(\n"
                               "            x,\n"
                               "        ))(5)\n"
                               "    finally:\n"
                               "        pass\n"
                               "class Pool:\n"
                               "    @staticmethod\n"
                               "    def run():\n"
                               "        with threading.Lock():\n"
                               "            for v in each():\n"
                               "                print(v)\n"
                               "    def __call__(self):\n"
                               "        return sorted([1], key=lambda k:\n"
                               "            Pool.run())\n"
                               "async def inner():\n"
                               "    Pool()()\n"
                               "async def outer():\n"
                               "    await asyncio.sleep(0)\n"
                               "    await inner()\n"
                               "def start():\n"
                               "    exec(compile('\\n\\nasyncio.run(outer())', '<made>', 'exec'))\n"
                               "t = threading.Thread(target=start, daemon=True)\n"
                               "t.start()\n"
                               "print(t.native_id, flush=True)\n"
                               "while True:\n"
                               "    frame, said = sys._current_frames()[t.ident], []\n"
                               "    while frame:\n"
                               "        said.append(f'{frame.f_code.co_qualname}:{frame.f_lineno}')\n"
                               "        frame = frame.f_back\n"
                               "    print(' '.join(said), flush=True)\n"
                               "    time.sleep(.05)\n";

/* Of whichever Python is looked at; they are cleared before another one is. */
static struct python_threads threads, spoilt;

struct sleeper {
    pid_t pid;
    int tid;
    FILE *output;
};

/* The first line that it prints is the number of a thread. */
static bool start_sleeper(const char *python, const char *source, struct sleeper *sleeper)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    sleeper->pid = fork();
    if (sleeper->pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        if (freopen("/dev/null", "w", stderr) == NULL)
            _exit(127);
        close(ends[0]);
        execlp(python, python, "-c", source, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    char line[32] = "";
    sleeper->output = fdopen(ends[0], "r");
    assert_non_null(sleeper->output);
    if (fgets(line, sizeof line, sleeper->output) != NULL) {
        sleeper->tid = atoi(line);
        return true;
    }
    fclose(sleeper->output);
    waitpid(sleeper->pid, NULL, 0);
    return false;
}

static void end_sleeper(const struct sleeper *sleeper)
{
    python_threads_clear(&threads);
    fclose(sleeper->output);
    kill(sleeper->pid, SIGKILL);
    waitpid(sleeper->pid, NULL, 0);
}

/* It prints its number before it sleeps: a moment later some function of it is in that line. */
static int read_until_at(const struct python_runtime *runtime, int tid, int line,
                         struct python_frames *frames)
{
    for (int tries = 0; tries < 2000; tries++, usleep(5000))
        for (int i = 0; python_frames_read(runtime, &threads, tid, frames) == 0 && i < frames->count; i++)
            if (frames->places[i].line == line && strcmp(frames->places[i].path, "<string>") == 0)
                return 0;
    return -ETIMEDOUT;
}

static void assert_place(const struct place *place, const char *function, int line)
{
    assert_string_equal(place->function, function);
    assert_int_equal(place->line, line);
}

static void assert_frames(const struct sleeper *sleeper)
{
    struct python_runtime runtime;
    static struct python_frames frames;
    assert_int_equal(python_runtime_find(sleeper->pid, &runtime), 0);
    assert_int_equal(read_until_at(&runtime, sleeper->tid, 6, &frames), 0);
    assert_place(&frames.places[0], "Pool.take", 6);
    assert_place(&frames.places[1], "Pool.take", 5);
    assert_place(&frames.places[2], "Pool.take", 5);
    assert_place(&frames.places[3], "Zürich", 9);
    assert_string_equal(frames.places[3].path, "<string>");
    assert_true(frames.places[3].is_own);
    assert_string_equal(frames.places[4].function, "Thread.run");
    assert_string_equal(frames.places[4].file, "threading.py");
    assert_false(frames.places[4].is_own);
    assert_false(frames.is_cut);
    assert_int_equal(read_until_at(&runtime, sleeper->pid, 13, &frames), 0);
    assert_place(&frames.places[frames.count - 1], "<module>", 13);
    assert_int_equal(python_frames_read(&runtime, &threads, getpid(), &frames), -ENOENT);
}

static const char *const pythons[] = {"python3", "/usr/bin/python3", "python3.11", "python3.12",
                                      "python3.13"};

static void functions_and_lines_are_pythons_own(void **state)
{
    (void)state;
    struct sleeper sleeper;
    struct python_runtime runtime;
    int looked = 0;
    for (size_t i = 0; i < COUNT_OF(pythons); i++) {
        if (!start_sleeper(pythons[i], program, &sleeper))
            continue;
        /* Of a version without a layout nothing is said. */
        if (python_runtime_find(sleeper.pid, &runtime) == 0) {
            assert_frames(&sleeper);
            looked++;
        }
        end_sleeper(&sleeper);
    }
    if (looked == 0)
        skip();
}

static void say(const struct python_frames *frames, char *text, size_t size)
{
    text[0] = '\0';
    for (int i = 0; i < frames->count; i++)
        snprintf(text + strlen(text), size - strlen(text), "%s%s:%d", i == 0 ? "" : " ",
                 frames->places[i].function, frames->places[i].line);
}

/* Until what Python says and what is read are the same: it begins to sleep meanwhile. */
static void assert_agrees(const struct sleeper *sleeper, const struct python_runtime *runtime)
{
    static struct python_frames frames;
    char theirs[4096] = "", ours[4096] = "";
    for (int i = 0; i < 200; i++) {
        assert_non_null(fgets(theirs, sizeof theirs, sleeper->output));
        theirs[strcspn(theirs, "\n")] = '\0';
        if (python_frames_read(runtime, &threads, sleeper->tid, &frames) == 0)
            say(&frames, ours, sizeof ours);
        if (strcmp(ours, theirs) == 0 && strstr(ours, "deepest") != NULL)
            return;
    }
    assert_string_equal(ours, theirs);
}

static void what_is_read_is_what_python_says(void **state)
{
    (void)state;
    struct sleeper sleeper;
    struct python_runtime runtime;
    int looked = 0;
    for (size_t i = 0; i < COUNT_OF(pythons); i++) {
        if (!start_sleeper(pythons[i], manifold, &sleeper))
            continue;
        if (python_runtime_find(sleeper.pid, &runtime) == 0) {
            assert_agrees(&sleeper, &runtime);
            looked++;
        }
        end_sleeper(&sleeper);
    }
    if (looked == 0)
        skip();
}

static void a_program_of_c_has_no_interpreter(void **state)
{
    (void)state;
    struct python_runtime runtime;
    assert_int_equal(python_runtime_find(getpid(), &runtime), -ENOENT);
    assert_int_equal(python_runtime_find(1 << 22, &runtime), -ESRCH);
}

/* ---- memory that changes while it is read ---- */

struct memory {
    pid_t pid;
    unsigned seed;
    int one_of; /* reads that are spoilt */
};

static size_t read_spoilt(void *context, uint64_t address, void *bytes, size_t size)
{
    struct memory *memory = context;
    size_t length = python_read_process(&memory->pid, address, bytes, size);
    if (rand_r(&memory->seed) % memory->one_of != 0 || length == 0)
        return length;
    switch (rand_r(&memory->seed) % 4) {
    case 0:
        return 0;
    case 1:
        return (size_t)rand_r(&memory->seed) % length;
    case 2:
        memset(bytes, rand_r(&memory->seed), length);
        break;
    default:
        for (int i = 0; i < 4; i++)
            ((unsigned char *)bytes)[(size_t)rand_r(&memory->seed) % length] =
                (unsigned char)rand_r(&memory->seed);
    }
    return length;
}

static void a_racing_interpreter_neither_crashes_it_nor_holds_it(void **state)
{
    (void)state;
    struct sleeper sleeper;
    struct python_runtime runtime;
    static struct python_frames frames;
    if (!start_sleeper("python3", program, &sleeper))
        skip();
    if (python_runtime_find(sleeper.pid, &runtime) == 0 &&
        read_until_at(&runtime, sleeper.tid, 6, &frames) == 0)
        for (unsigned seed = 0; seed < 3000; seed++) {
            struct memory memory = {sleeper.pid, seed, 1 + (int)(seed % 60)};
            python_frames_walk(&runtime, &spoilt, read_spoilt, &memory, (uint64_t)sleeper.tid, &frames);
            python_threads_clear(&spoilt);
            assert_true(frames.count >= 0 && frames.count <= SITE_PLACES);
            for (int i = 0; i < frames.count; i++)
                assert_true(frames.places[i].line >= 0 && strlen(frames.places[i].function) < PYTHON_TEXT);
        }
    end_sleeper(&sleeper);
}

/* Memory in which everything points at itself. */
static size_t read_mirror(void *context, uint64_t address, void *bytes, size_t size)
{
    (void)address;
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)bytes)[i] = i % 8 == 2 ? 1 : 0;
    ++*(int *)context;
    return size;
}

static void a_ring_of_threads_ends(void **state)
{
    (void)state;
    struct python_runtime runtime = {.at = 4096, .version = 0x030b07f0};
    static struct python_frames frames;
    int reads = 0;
    assert_int_equal(python_layout_of(runtime.version, read_mirror, &reads, 4096, &runtime.layout), 0);
    assert_int_equal(python_frames_walk(&runtime, &spoilt, read_mirror, &reads, 7, &frames), -ENOENT);
    python_threads_clear(&spoilt);
    assert_true(reads > 0);
}

static void a_version_that_is_not_known_has_no_layout(void **state)
{
    (void)state;
    struct python_layout layout;
    int reads = 0;
    assert_int_equal(python_layout_of(0x030a00f0, read_mirror, &reads, 4096, &layout), -ENOTSUP);
    assert_int_equal(python_layout_of(0x030d00f0, read_mirror, &reads, 4096, &layout), -ENOTSUP);
    assert_int_equal(python_layout_of(0x030e00f0, read_mirror, &reads, 4096, &layout), -ENOTSUP);
}

/* ---- instead of the interpreter's own frames ---- */

static void functions_of_python_take_the_interpreters_place(void **state)
{
    (void)state;
    const struct python_runtime runtime = {.module = "python3.11"};
    static struct python_frames frames = {
        .places = {{.function = "take", .file = "pool.py", .line = 12, .is_own = true}}, .count = 1};
    struct place places[SITE_PLACES] = {
        {.function = "recv", .module = "libc.so.6"},
        {.function = "sock_recv", .module = "_socket.cpython-311-x86_64-linux-gnu.so", .is_own = true},
        {.function = "PyEval", .module = "python3.11"},
        {.function = "callback", .module = "libx.so"},
        {.function = "main", .module = "python3.11"},
    };
    bool is_cut = true;
    assert_int_equal(python_frames_join(&runtime, &frames, places, 5, &is_cut), 3);
    assert_string_equal(places[1].function, "sock_recv");
    assert_false(places[1].is_own);
    assert_string_equal(places[2].function, "take");
    assert_false(is_cut);
}

static void a_stack_that_is_not_followed_so_far_goes_before_them(void **state)
{
    (void)state;
    const struct python_runtime runtime = {.module = "python3.11"};
    static struct python_frames frames;
    struct place places[SITE_PLACES] = {{.function = "recv", .module = "libc.so.6"}};
    bool is_cut = true;
    assert_int_equal(python_frames_join(&runtime, &frames, places, 1, &is_cut), 1);
    assert_true(is_cut);
    for (frames.count = 0; frames.count < SITE_PLACES; frames.count++)
        frames.places[frames.count] = (struct place){.function = "f", .line = 1};
    assert_int_equal(python_frames_join(&runtime, &frames, places, 1, &is_cut), SITE_PLACES);
    assert_true(is_cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_and_lines_are_pythons_own),
        cmocka_unit_test(what_is_read_is_what_python_says),
        cmocka_unit_test(a_program_of_c_has_no_interpreter),
        cmocka_unit_test(a_racing_interpreter_neither_crashes_it_nor_holds_it),
        cmocka_unit_test(a_ring_of_threads_ends),
        cmocka_unit_test(a_version_that_is_not_known_has_no_layout),
        cmocka_unit_test(functions_of_python_take_the_interpreters_place),
        cmocka_unit_test(a_stack_that_is_not_followed_so_far_goes_before_them),
    };
    return cmocka_run_group_tests_name("python_frames", tests, NULL, NULL);
}
