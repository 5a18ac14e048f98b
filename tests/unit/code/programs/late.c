/* Loads a library, whose path it is given, when it has read one byte; sleeps then in a function of it. */
#include <dlfcn.h>
#include <unistd.h>

int main(int count, char **arguments)
{
    char byte;
    if (count < 2 || read(0, &byte, 1) != 1)
        return 1;
    void *library = dlopen(arguments[1], RTLD_NOW);
    int (*take)(int) = library != NULL ? (int (*)(int))dlsym(library, "take") : NULL;
    return take != NULL ? take(0) + 1 : 1; /* HERE main */
}
