#include "view/csv_columns.h"

void csv_put_header(FILE *out, const struct csv_column *columns)
{
    for (const struct csv_column *column = columns; column->name != NULL; column++)
        fprintf(out, "%s%s", column == columns ? "" : ",", column->name);
    fputc('\n', out);
}

void csv_put_markdown(FILE *out, const struct csv_column *columns)
{
    fputs("| column | unit | meaning |\n| --- | --- | --- |\n", out);
    for (const struct csv_column *column = columns; column->name != NULL;) {
        const struct csv_column *first = column++;
        fprintf(out, "| `%s`", first->name);
        for (; column->name != NULL && column->meaning == NULL; column++)
            fprintf(out, ", `%s`", column->name);
        fprintf(out, " | %s | %s |\n", first->unit, first->meaning);
    }
}
