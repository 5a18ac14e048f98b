/* Sleeps in a signal's handler, which has a stack of its own where ALTERNATE is defined. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

volatile int *nowhere;

static void on_signal(int number)
{
    char byte;
    if (read(0, &byte, 1) < 0) /* HERE on_signal */
        _exit(number);
    _exit(0);
}

__attribute__((noinline)) int fail(int n)
{
    *nowhere = n; /* HERE fail */
    return n + 1;
}

int main(void)
{
    struct sigaction action = {.sa_handler = on_signal};
#ifdef ALTERNATE
    stack_t stack = {.ss_size = 65536, .ss_sp = malloc(65536)};
    sigaltstack(&stack, NULL);
    action.sa_flags = SA_ONSTACK;
#endif
    sigaction(SIGSEGV, &action, NULL);
    return fail(3) + 1; /* HERE main */
}
