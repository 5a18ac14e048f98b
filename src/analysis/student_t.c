#include "analysis/student_t.h"

/* Between rows linear in 1 / freedom. */
double student_t(double freedom)
{
    static const struct {
        double inverse, t;
    } rows[] = {
        {1.0 / 1, 12.706}, {1.0 / 2, 4.303},  {1.0 / 3, 3.182},  {1.0 / 4, 2.776},
        {1.0 / 5, 2.571},  {1.0 / 6, 2.447},  {1.0 / 8, 2.306},  {1.0 / 10, 2.228},
        {1.0 / 15, 2.131}, {1.0 / 30, 2.042}, {1.0 / 60, 2.000}, {0, 1.960},
    };
    double inverse = 1 / freedom;
    int i = 1;
    while (inverse < rows[i].inverse)
        i++;
    double part = (inverse - rows[i].inverse) / (rows[i - 1].inverse - rows[i].inverse);
    return rows[i].t + part * (rows[i - 1].t - rows[i].t);
}
