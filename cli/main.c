#include <stdio.h>

#include "kd2m/kd2m.h"

int main(void) {
    printf("kd2m %s\n", kd2m_version());
    return 0;
}
