/* student_t: how far a mean of few measurements may be off. */
#ifndef ANALYSIS_STUDENT_T_H
#define ANALYSIS_STUDENT_T_H

/* Two-sided 95 % quantile of Student's t; `freedom`, degrees of freedom, at least 1. */
double student_t(double freedom);

#endif
