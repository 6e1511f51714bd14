/* Steps of gradient descent on the 2-3-2 network of sigmoid units, by hand.

   w: w1 .. w12, the first layer by the unit that its weights lead to, the second by
   the unit that they come from; x: two inputs; t: two targets; b: a bias for each layer. */

#include <math.h>

static double sigmoid(double z) { return 1.0 / (1.0 + exp(-z)); }

void steps(double *w, const double *x, const double *t, const double *b, double rate, long count)
{
    double u[12];
    for (int i = 0; i < 12; i++)
        u[i] = w[i];
    while (count--) {
        double h1 = sigmoid(u[0] * x[0] + u[1] * x[1] + b[0]);
        double h2 = sigmoid(u[2] * x[0] + u[3] * x[1] + b[0]);
        double h3 = sigmoid(u[4] * x[0] + u[5] * x[1] + b[0]);
        double o1 = sigmoid(u[6] * h1 + u[8] * h2 + u[10] * h3 + b[1]);
        double o2 = sigmoid(u[7] * h1 + u[9] * h2 + u[11] * h3 + b[1]);
        double d1 = (o1 - t[0]) * o1 * (1.0 - o1);
        double d2 = (o2 - t[1]) * o2 * (1.0 - o2);
        double e1 = (d1 * u[6] + d2 * u[7]) * h1 * (1.0 - h1);
        double e2 = (d1 * u[8] + d2 * u[9]) * h2 * (1.0 - h2);
        double e3 = (d1 * u[10] + d2 * u[11]) * h3 * (1.0 - h3);
        d1 *= rate, d2 *= rate, e1 *= rate, e2 *= rate, e3 *= rate;
        u[0] -= e1 * x[0], u[1] -= e1 * x[1];
        u[2] -= e2 * x[0], u[3] -= e2 * x[1];
        u[4] -= e3 * x[0], u[5] -= e3 * x[1];
        u[6] -= d1 * h1, u[7] -= d2 * h1;
        u[8] -= d1 * h2, u[9] -= d2 * h2;
        u[10] -= d1 * h3, u[11] -= d2 * h3;
    }
    for (int i = 0; i < 12; i++)
        w[i] = u[i];
}
