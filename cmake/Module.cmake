# Warnings and sanitizers of everything built here.
add_library(kd2m_flags INTERFACE)
target_compile_options(kd2m_flags INTERFACE
    -Wall -Wextra -Wconversion -Wshadow
    $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith>)
if(KD2M_WERROR)
    target_compile_options(kd2m_flags INTERFACE -Werror)
endif()
target_compile_definitions(kd2m_flags INTERFACE _XOPEN_SOURCE=700)
target_include_directories(kd2m_flags INTERFACE ${CMAKE_SOURCE_DIR}/include)
if(KD2M_SANITIZE)
    target_compile_options(kd2m_flags INTERFACE -fsanitize=${KD2M_SANITIZE}
                           -fno-sanitize-recover=all -fno-omit-frame-pointer)
    target_link_options(kd2m_flags INTERFACE -fsanitize=${KD2M_SANITIZE})
    if(KD2M_SANITIZE MATCHES "thread")
        target_compile_definitions(kd2m_flags INTERFACE KD2M_NO_CLONES)
    endif()
endif()
if(KD2M_FUZZ)
    target_compile_options(kd2m_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(KD2M_NN)
    target_compile_definitions(kd2m_flags INTERFACE KD2M_WITH_NN)
endif()

# kd2m_manifest(OUT FILE PREFIX): the sources named by a manifest. A line KD2M_KIND(name) of FILE
# stands for PREFIXname.c beside it.
function(kd2m_manifest out file prefix)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(STRINGS ${file} lines REGEX "^KD2M_[A-Z_]+\\([a-z0-9_]+[,)]")
    get_filename_component(folder ${file} DIRECTORY)
    set(sources "")
    foreach(line IN LISTS lines)
        string(REGEX REPLACE "^KD2M_[A-Z_]+\\(([a-z0-9_]+)[,)].*" "\\1" name "${line}")
        list(APPEND sources ${folder}/${prefix}${name}.c)
    endforeach()
    set(${out} ${sources} PARENT_SCOPE)
endfunction()

# kd2m_module(NAME SEES folder... LINKS library...): the object library of src/NAME. Its sources are
# listed in src/NAME/CMakeLists.txt, in the variable `sources`.
set(KD2M_MODULES "" CACHE INTERNAL "")
set(KD2M_MODULE_LINKS "" CACHE INTERNAL "")
function(kd2m_module name)
    cmake_parse_arguments(ARG "" "" "SEES;LINKS" ${ARGN})
    set(folder ${CMAKE_SOURCE_DIR}/src/${name})
    include(${folder}/CMakeLists.txt)
    if(NOT sources)
        return() # a room with headers alone
    endif()
    list(TRANSFORM sources PREPEND ${folder}/ REGEX "^[^/]")
    add_library(kd2m_${name} OBJECT ${sources})
    target_include_directories(kd2m_${name} PRIVATE ${folder})
    foreach(seen IN LISTS ARG_SEES)
        target_include_directories(kd2m_${name} PRIVATE ${CMAKE_SOURCE_DIR}/src/${seen})
    endforeach()
    # core's headers speak jansson and OpenMP; what a module links, its users' final link needs
    target_link_libraries(kd2m_${name} PRIVATE kd2m_flags OpenMP::OpenMP_C PkgConfig::JANSSON
                          ${ARG_LINKS})
    set(KD2M_MODULES ${KD2M_MODULES} ${name} CACHE INTERNAL "")
    set(KD2M_MODULE_LINKS ${KD2M_MODULE_LINKS} ${ARG_LINKS} CACHE INTERNAL "")
endfunction()

# The shared library that users link, and the static one with every symbol in reach for the tests.
function(kd2m_library)
    set(objects "")
    foreach(name IN LISTS KD2M_MODULES)
        list(APPEND objects $<TARGET_OBJECTS:kd2m_${name}>)
    endforeach()
    set(links ${KD2M_MODULE_LINKS})
    list(REMOVE_DUPLICATES links)
    add_library(kd2m SHARED ${objects})
    set_target_properties(kd2m PROPERTIES VERSION ${PROJECT_VERSION}
                          SOVERSION ${PROJECT_VERSION_MAJOR})
    target_link_libraries(kd2m PRIVATE kd2m_flags ${links} OpenMP::OpenMP_C m)
    target_include_directories(kd2m PUBLIC
        $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

    add_library(kd2m_internal STATIC ${objects})
    target_link_libraries(kd2m_internal PUBLIC kd2m_flags ${links} OpenMP::OpenMP_C m)
    foreach(name IN LISTS KD2M_MODULES)
        target_include_directories(kd2m_internal PUBLIC ${CMAKE_SOURCE_DIR}/src/${name})
    endforeach()
endfunction()
