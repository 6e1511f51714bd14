/* An epoch of gradient descent on a network of ReLU units with softmax outputs and the mean
   cross-entropy of a batch, in plain loops.

   depth layers of widths[0] .. widths[depth]; w, bias: of each layer, (units, inputs) and
   (units); out, delta: room for (batch, units) of each layer; x: (batches, batch, inputs);
   t: (batches, batch, outputs). */

#include <math.h>

void epoch(int depth, const int *widths, int batch, int batches, float rate, const float *x,
           const float *t, float **w, float **bias, float **out, float **delta)
{
    int inputs = widths[0], outputs = widths[depth];
    for (int step = 0; step < batches; step++, x += batch * inputs, t += batch * outputs) {
        for (int layer = 0; layer < depth; layer++) {
            int below = widths[layer], units = widths[layer + 1];
            const float *left = layer ? out[layer - 1] : x;
            for (int n = 0; n < batch; n++)
                for (int j = 0; j < units; j++) {
                    float net = bias[layer][j];
                    for (int k = 0; k < below; k++)
                        net += w[layer][j * below + k] * left[n * below + k];
                    out[layer][n * units + j] = layer < depth - 1 && net < 0 ? 0 : net;
                }
        }
        for (int n = 0; n < batch; n++) {
            float *y = out[depth - 1] + n * outputs, largest = y[0], total = 0;
            for (int j = 1; j < outputs; j++)
                largest = fmaxf(largest, y[j]);
            for (int j = 0; j < outputs; j++)
                total += y[j] = expf(y[j] - largest);
            for (int j = 0; j < outputs; j++)
                delta[depth - 1][n * outputs + j] = (y[j] / total - t[n * outputs + j]) / batch;
        }
        for (int layer = depth - 1; layer >= 0; layer--) {
            int below = widths[layer], units = widths[layer + 1];
            const float *left = layer ? out[layer - 1] : x;
            if (layer)
                for (int n = 0; n < batch; n++) {
                    float *back = delta[layer - 1] + n * below;
                    for (int k = 0; k < below; k++)
                        back[k] = 0;
                    for (int j = 0; j < units; j++)
                        for (int k = 0; k < below; k++)
                            back[k] += delta[layer][n * units + j] * w[layer][j * below + k];
                    for (int k = 0; k < below; k++)
                        back[k] = left[n * below + k] > 0 ? back[k] : 0;
                }
            for (int n = 0; n < batch; n++)
                for (int j = 0; j < units; j++) {
                    float share = rate * delta[layer][n * units + j];
                    bias[layer][j] -= share;
                    for (int k = 0; k < below; k++)
                        w[layer][j * below + k] -= share * left[n * below + k];
                }
        }
    }
}
