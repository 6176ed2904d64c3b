/*
 * jpeg: an image through lossy compression and back (Hendrycks and Dietterich, arXiv:1903.12261;
 * qualities of CIFAR-10-C), by libjpeg with its usual settings: baseline, Huffman tables as they
 * come, colours at half the resolution. Values are rounded to bytes on the way, as a file's are.
 * Time O(pixels). Memory: the coded image at its largest, in the kind's scratch, and what libjpeg
 * takes from malloc for a few rows within a call. libjpeg's own answer to an error is to print it
 * and to end the process: here it comes back to setjmp.
 */
#include <math.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include "corruption.h"

/* An image on its way; what libjpeg changes lies here and not in a frame that setjmp is in. */
typedef struct jpeg {
    const kd2m_corruption_use *use;
    struct jpeg_error_mgr errors;
    struct jpeg_destination_mgr destination;
    struct jpeg_compress_struct encoder;
    struct jpeg_decompress_struct decoder;
    jmp_buf failed;
    unsigned char *row; /* pixel by pixel */
    unsigned char *coded;
    size_t length;
} jpeg;

static void leave(j_common_ptr codec) {
    jpeg *work = codec->client_data;
    longjmp(work->failed, 1);
}

static void say_nothing(j_common_ptr codec) {
    (void)codec;
}

static void warn_nobody(j_common_ptr codec, int level) {
    (void)codec;
    (void)level;
}

static void leave_destination(j_compress_ptr encoder) {
    (void)encoder;
}

/* The room for the coded image is full, which its bound excludes. */
static boolean refuse_more(j_compress_ptr encoder) {
    leave((j_common_ptr)encoder);
    return FALSE;
}

/* Bytes of a row and of the coded image, at most (libjpeg-turbo's bound of whole blocks). */
static size_t row_size(const kd2m_shape *shape) {
    return shape->sizes[0] * shape->sizes[2];
}

static size_t coded_size(const kd2m_shape *shape) {
    return (shape->sizes[1] + 15) / 16 * 16 * ((shape->sizes[2] + 15) / 16 * 16) * 3 + 2048;
}

static size_t jpeg_scratch(const kd2m_shape *shape) {
    return (row_size(shape) + coded_size(shape)) / sizeof(float) + 1;
}

static void start_errors(jpeg *work) {
    jpeg_std_error(&work->errors);
    work->errors.error_exit = leave;
    work->errors.output_message = say_nothing;
    work->errors.emit_message = warn_nobody;
}

static void set_encoder(jpeg *work, const size_t *sizes, int quality) {
    j_compress_ptr encoder = &work->encoder;
    work->destination = (struct jpeg_destination_mgr){
        .next_output_byte = work->coded,
        .free_in_buffer = coded_size(work->use->shape),
        .init_destination = leave_destination,
        .empty_output_buffer = refuse_more,
        .term_destination = leave_destination,
    };
    encoder->dest = &work->destination;
    encoder->image_height = (JDIMENSION)sizes[1];
    encoder->image_width = (JDIMENSION)sizes[2];
    encoder->input_components = (int)sizes[0];
    encoder->in_color_space = sizes[0] == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(encoder);
    jpeg_set_quality(encoder, quality, TRUE);
}

static bool encode(jpeg *work, const float *values) {
    const size_t *sizes = work->use->shape->sizes, size = sizes[1] * sizes[2];
    work->encoder.err = &work->errors;
    work->encoder.client_data = work;
    if (setjmp(work->failed)) {
        jpeg_destroy_compress(&work->encoder);
        return false;
    }
    jpeg_create_compress(&work->encoder);
    set_encoder(work, sizes, (int)work->use->amount);
    jpeg_start_compress(&work->encoder, TRUE);
    for (size_t y = 0; y < sizes[1]; y++) {
        for (size_t x = 0; x < sizes[2]; x++)
            for (size_t c = 0; c < sizes[0]; c++)
                work->row[x * sizes[0] + c] =
                    (unsigned char)lrint(255 * (double)values[c * size + y * sizes[2] + x]);
        jpeg_write_scanlines(&work->encoder, &work->row, 1);
    }
    jpeg_finish_compress(&work->encoder);
    work->length = coded_size(work->use->shape) - work->destination.free_in_buffer;
    jpeg_destroy_compress(&work->encoder);
    return true;
}

static bool decode(jpeg *work, float *out) {
    const size_t *sizes = work->use->shape->sizes, size = sizes[1] * sizes[2];
    work->decoder.err = &work->errors;
    work->decoder.client_data = work;
    if (setjmp(work->failed)) {
        jpeg_destroy_decompress(&work->decoder);
        return false;
    }
    jpeg_create_decompress(&work->decoder);
    jpeg_mem_src(&work->decoder, work->coded, (unsigned long)work->length);
    jpeg_read_header(&work->decoder, TRUE);
    jpeg_start_decompress(&work->decoder);
    for (size_t y = 0; y < sizes[1]; y++) {
        jpeg_read_scanlines(&work->decoder, &work->row, 1);
        for (size_t x = 0; x < sizes[2]; x++)
            for (size_t c = 0; c < sizes[0]; c++)
                out[c * size + y * sizes[2] + x] = (float)work->row[x * sizes[0] + c] / 255;
    }
    jpeg_finish_decompress(&work->decoder);
    jpeg_destroy_decompress(&work->decoder);
    return true;
}

static void compress(const kd2m_corruption_use *use, const float *values, float *out) {
    unsigned char *room = (unsigned char *)use->scratch;
    jpeg work = {.use = use, .coded = room, .row = room + coded_size(use->shape)};
    start_errors(&work);
    if (!encode(&work, values) || !decode(&work, out)) {
        memset(out, 0,
               use->shape->sizes[0] * use->shape->sizes[1] * use->shape->sizes[2] * sizeof *out);
        *use->refused = "libjpeg could not code the image: no memory may have been left";
    }
}

const kd2m_corruption kd2m_corruption_jpeg = {
    .name = "jpeg",
    .summary = "images, grey or colour: compressed at this quality",
    .dims = 3,
    .colours = true,
    .amounts = {80, 65, 58, 50, 40},
    .scratch = jpeg_scratch,
    .apply = compress,
};
