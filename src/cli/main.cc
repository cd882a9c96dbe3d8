#include "cli/command.h"

int main(int argc, char** argv) { return stillframe::RunCommand(argc, argv); }
